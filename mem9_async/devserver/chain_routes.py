"""Managing space chains: everything but creating one needs a key of that chain."""

from dataclasses import dataclass

from aiohttp import web

from mem9_async.devserver.answers import (
    InvalidField,
    Refusal,
    json_answer,
    no_such_route,
    wrong_method,
)
from mem9_async.devserver.chains import (
    Chain,
    Chains,
    binding_wire,
    chain_wire,
    key_preview,
    node_wire,
)
from mem9_async.devserver.jsonbody import decode
from mem9_async.devserver.tenants import CHAIN_KEY_PREFIX


@dataclass(frozen=True, slots=True)
class ChainRoutes:
    """Answers what stands below /v1alpha2/space-chains."""

    chains: Chains

    def answer(self, method: str, path: tuple[str, ...], key: str, body: bytes) -> web.Response:
        """*path* is what follows the prefix. Raises Refusal."""
        match path:
            case ():
                return self._create(body) if method == "POST" else wrong_method(("POST",))
            case ("by-key",) if method == "GET":
                return self._by_key(key)
            case (chain_id,) | (chain_id, ""):
                return self._one(method, self._authorized(chain_id, key), body)
            case (chain_id, "nodes"):
                return self._nodes(method, self._authorized(chain_id, key), body)
            case (chain_id, "bindings"):
                return self._bindings(method, self._authorized(chain_id, key), body)
            case (chain_id, "bindings", binding_id):
                return self._binding(method, self._authorized(chain_id, key), binding_id, body)
        return no_such_route()

    def _create(self, body: bytes) -> web.Response:
        chain, binding = self.chains.create(decode(body, "CreateSpaceChainRequest"))
        return json_answer(
            201,
            {
                "chain": chain_wire(chain, (binding,)),
                "chain_api_key": binding.chain_api_key,
                "binding_id": binding.id,
                "key_prefix": CHAIN_KEY_PREFIX,
                "key_preview": key_preview(binding.chain_api_key),
            },
        )

    def _by_key(self, key: str) -> web.Response:
        chain = self.chains.by_key(_chain_key(key))
        if chain is None:
            raise Refusal(404, "not found")
        return self._chain_answer(chain)

    def _one(self, method: str, chain: Chain, body: bytes) -> web.Response:
        if method == "GET":
            return self._chain_answer(chain)
        if method == "PATCH":
            return self._chain_answer(
                self.chains.rename(chain, decode(body, "UpdateSpaceChainRequest"))
            )
        if method == "DELETE":
            self.chains.delete(chain)
            return web.Response(status=204)
        return wrong_method(("GET", "PATCH", "DELETE"))

    def _nodes(self, method: str, chain: Chain, body: bytes) -> web.Response:
        if method == "GET":
            nodes = chain.nodes
        elif method == "PUT":
            nodes = self.chains.replace_nodes(chain, decode(body, "ReplaceSpaceChainNodesRequest"))
        else:
            return wrong_method(("GET", "PUT"))
        return json_answer(200, {"nodes": [node_wire(node, chain) for node in nodes]})

    def _bindings(self, method: str, chain: Chain, body: bytes) -> web.Response:
        if method == "GET":
            bindings = self.chains.bindings(chain)
            return json_answer(200, {"bindings": [binding_wire(binding) for binding in bindings]})
        if method == "POST":
            binding = self.chains.bind(chain, decode(body, "CreateSpaceChainBindingRequest"))
            return json_answer(201, binding_wire(binding))
        return wrong_method(("GET", "POST"))

    def _binding(self, method: str, chain: Chain, binding_id: str, body: bytes) -> web.Response:
        if method != "PATCH":
            return wrong_method(("PATCH",))
        if not decode(body, "disableSpaceChainBindingRequest").flag("disabled"):
            raise InvalidField("disabled", "must be true")
        self.chains.disable(chain, binding_id)
        return web.Response(status=204)

    def _chain_answer(self, chain: Chain) -> web.Response:
        return json_answer(200, chain_wire(chain, self.chains.bindings(chain)))

    def _authorized(self, chain_id: str, key: str) -> Chain:
        chain = self.chains.by_key(_chain_key(key), disabled_too=True)
        if chain is None or chain.id != chain_id:
            raise Refusal(404, "space chain not found")
        return chain


def _chain_key(header: str) -> str:
    key = header.strip()
    if not key.startswith(CHAIN_KEY_PREFIX):
        raise Refusal(401, "missing or malformed X-API-Key")
    return key
