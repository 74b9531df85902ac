"""Certificates for TLS on loopback, made when a test starts and gone with its folder."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = timedelta(days=2)


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files.

    `certificate`/`key` are for `localhost` and 127.0.0.1 and signed by `ca`, which nobody
    trusts until told to (SSL_CERT_FILE). `bad_certificate`/`bad_key` are self-signed.
    """

    ca: Path
    certificate: Path
    key: Path
    bad_certificate: Path
    bad_key: Path

    def server_context(self, *, good: bool = True) -> ssl.SSLContext:
        """A server's context: trusted by whoever trusts `ca`, or by nobody."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if good:
            context.load_cert_chain(self.certificate, self.key)
        else:
            context.load_cert_chain(self.bad_certificate, self.bad_key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """A client's context that trusts `ca` and nothing else."""
        return ssl.create_default_context(cafile=str(self.ca))


def make(directory: Path, *, host: str | None = None, valid: timedelta = _LIFETIME) -> Certificates:
    """Write a fresh authority, a server certificate signed by it, and a self-signed one.

    With *host* the server's certificate is for that name alone; a negative *valid* makes it one
    that expired so long ago.
    """
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("mem9_async test authority")
    ca = (
        _builder(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    good_key = ec.generate_private_key(ec.SECP256R1())
    good = _leaf(_name("localhost"), ca_name, good_key, signer=ca_key, host=host, valid=valid)
    bad_key = ec.generate_private_key(ec.SECP256R1())
    bad_name = _name("localhost self-signed")
    bad = _leaf(bad_name, bad_name, bad_key, signer=bad_key)

    paths = Certificates(
        ca=directory / "ca.pem",
        certificate=directory / "server.pem",
        key=directory / "server.key",
        bad_certificate=directory / "bad.pem",
        bad_key=directory / "bad.key",
    )
    for path, certificate in (
        (paths.ca, ca),
        (paths.certificate, good),
        (paths.bad_certificate, bad),
    ):
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    for path, key in ((paths.key, good_key), (paths.bad_key, bad_key)):
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        path.chmod(0o600)
    return paths


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    valid: timedelta = _LIFETIME,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - abs(valid) - timedelta(hours=1))
        .not_valid_after(now + valid)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _leaf(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    *,
    signer: ec.EllipticCurvePrivateKey,
    host: str | None = None,
    valid: timedelta = _LIFETIME,
) -> x509.Certificate:
    names = x509.SubjectAlternativeName(
        [x509.DNSName(host)]
        if host
        else [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    )
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return (
        _builder(subject, issuer, key, valid)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(authority, critical=False)
        .sign(signer, hashes.SHA256())
    )


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )
