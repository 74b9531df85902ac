"""Who asks, for which space, and whose memories mix."""

import pytest

from mem9_async.models.errors import CredentialsMissing, InvalidRequest, Mem9AsyncError
from mem9_async.tools import caller
from mem9_async.tools.call import Call

from .fakes import KEY, call


class TestKey:
    """Where the API key comes from."""

    def test_single_space_uses_the_credential_and_ignores_the_node(self) -> None:
        """The node's key is for multi space only."""
        asker = caller.read(call({"api_key": "sk-node"}))

        assert asker.space.key == KEY

    def test_multi_space_uses_the_node_and_ignores_the_credential(self) -> None:
        """Keys are trimmed."""
        asker = caller.read(call({"api_key": " sk-node "}, auth_mode="multi_space"))

        assert asker.space.key == "sk-node"

    @pytest.mark.parametrize("mode", [None, "", "single_space"])
    def test_credentials_without_a_mode_mean_single_space(self, mode: str | None) -> None:
        """They were saved before the mode existed."""
        assert caller.read(call(auth_mode=mode)).space.key == KEY

    def test_an_unknown_mode_is_refused(self) -> None:
        """A guess could put one node's memories into another's space."""
        with pytest.raises(InvalidRequest) as refused:
            caller.read(call({"api_key": "sk-node"}, auth_mode="multispace"))

        assert refused.value.code == "auth_mode_invalid"

    @pytest.mark.parametrize(
        ("mode", "this", "other"),
        [("single_space", "credentials", "multi_space"), ("multi_space", "node", "single_space")],
    )
    def test_a_missing_key_names_its_place_and_the_other_mode(
        self, mode: str, this: str, other: str
    ) -> None:
        """Somebody has to find the right field."""
        with pytest.raises(CredentialsMissing) as refused:
            caller.read(call(auth_mode=mode, mem9_api_key=""))

        assert refused.value.code == "missing_api_key"
        assert this in refused.value.message
        assert other in refused.value.message

    def test_a_key_with_a_line_break_is_refused_without_showing_it(self) -> None:
        """It would smuggle a header."""
        with pytest.raises(CredentialsMissing) as refused:
            caller.read(call(mem9_api_key="sk-a\r\nX-Evil: 1"))

        assert refused.value.code == "malformed_api_key"
        assert "sk-a" not in refused.value.message

    @pytest.mark.parametrize(
        "pasted",
        [
            "Bearer sk-a",
            "bearer   sk-a",
            "Authorization: Bearer sk-a",
            "X-API-Key: sk-a",
            '"sk-a"',
            "'sk-a'",
            "`sk-a`",
            "\u201csk-a\u201d",
            '"Bearer sk-a"',
            'Bearer "sk-a"',
            "\ufeffsk-a",
            "sk\u200b-a\u200d",
            "\u2060 sk-a \u00a0",
        ],
    )
    def test_a_key_is_taken_out_of_what_people_paste(self, pasted: str) -> None:
        """From a header, from code, from a page."""
        single = caller.read(call(mem9_api_key=pasted))

        assert single.space.api_key.get_secret_value() == "sk-a"

    @pytest.mark.parametrize("key", ["sk-bearer", "bearer-1", "Bearersk", "x-api-key"])
    def test_a_key_that_only_looks_like_a_header_stays(self, key: str) -> None:
        """What belongs to the key is not taken away."""
        assert caller.read(call(mem9_api_key=key)).space.api_key.get_secret_value() == key

    @pytest.mark.parametrize(
        ("pasted", "why"),
        [
            ("sk-a sk-b", "spaces"),
            ("sk-\u00e4", "ASCII"),
            ("\uff53\uff4b", "ASCII"),
            ('""', "empty"),
            ("Bearer", "empty"),
            ("\ufeff", "empty"),
        ],
    )
    def test_what_no_key_can_be_is_refused_with_the_reason(self, pasted: str, why: str) -> None:
        """Sent, it would come back as a refused key or as an error of the connection."""
        with pytest.raises(CredentialsMissing) as refused:
            caller.read(call(mem9_api_key=pasted))

        assert refused.value.code == "malformed_api_key"
        assert why in refused.value.message


class TestBaseUrl:
    """The address of mem9."""

    @pytest.mark.parametrize(
        ("given", "read"),
        [
            (None, "https://api.mem9.ai"),
            ("", "https://api.mem9.ai"),
            (" http://localhost:8080// ", "http://localhost:8080"),
            ("https://mem9.example/prefix/", "https://mem9.example/prefix"),
            ("http://[::1]:80", "http://[::1]:80"),
        ],
    )
    def test_loses_trailing_slashes_and_has_a_default(self, given: object, read: str) -> None:
        """The address is the endpoint's identity, so it has one form."""
        assert caller.read(call(mem9_base_url=given)).space.base_url == read

    @pytest.mark.parametrize(
        "given",
        [
            "mem9.example",
            "ftp://mem9.example",
            "https://",
            "https://user:secret@mem9.example",
            "https://mem9.example?x=1",
            "https://mem9.example#x",
            "http://a b",
            "http://mem9.example:port",
            "http://[broken",
            "//mem9.example",
        ],
    )
    def test_that_is_no_usable_address_is_refused_and_not_repeated(self, given: str) -> None:
        """It may hold a password."""
        with pytest.raises(CredentialsMissing) as refused:
            caller.read(call(mem9_base_url=given))

        assert refused.value.code == "invalid_base_url"
        assert "secret" not in refused.value.message


class TestIds:
    """Session and agent ids."""

    def test_a_blank_session_is_none(self) -> None:
        """An empty binding means no session."""
        assert caller.read(call({"session_id": "  "})).session_id is None

    @pytest.mark.parametrize(
        ("parameters", "credentials", "code"),
        [
            ({"session_id": "s" * 101}, {}, "session_id_too_long"),
            ({"session_id": "a\nb"}, {}, "session_id_invalid"),
            ({}, {"mem9_agent_id": "a" * 101}, "agent_id_too_long"),
            ({}, {"mem9_agent_id": "a\r\nb"}, "agent_id_invalid"),
        ],
    )
    def test_that_mem9_would_lose_are_refused(
        self, parameters: dict[str, object], credentials: dict[str, str], code: str
    ) -> None:
        """mem9 answers an id over 100 characters with a 500, or loses what it belongs to."""
        with pytest.raises(InvalidRequest) as refused:
            caller.read(call(parameters, **credentials))

        assert refused.value.code == code

    def test_of_exactly_one_hundred_characters_are_kept(self) -> None:
        """Characters count, not bytes."""
        assert caller.read(call({"session_id": "话" * 100})).session_id == "话" * 100

    def test_the_agent_id_has_a_default(self) -> None:
        """The same as mem9's own plugin has."""
        assert caller.read(call(mem9_agent_id=" ")).agent_id == "dify"


def _agent(isolation: str, **who: str | None) -> str:
    session_id = who.pop("session_id", None)
    return caller.read(call({"session_id": session_id}, isolation=isolation, **who)).agent_id


class TestIsolation:
    """Whose memories mix."""

    def test_shared_sends_the_configured_id_and_filters_nothing(self) -> None:
        """As mem9's own plugin."""
        asker = caller.read(call(isolation="shared"))

        assert asker.agent_id == "dify"
        assert asker.own_agent_id is None

    def test_per_user_depends_on_the_user_alone(self) -> None:
        """The same person in two conversations has one memory."""
        anna = _agent("per_user", user_id="anna", conversation_id="c1")

        assert anna == _agent("per_user", user_id="anna", conversation_id="c2")
        assert anna != _agent("per_user", user_id="bert", conversation_id="c1")
        assert anna.startswith("dify-u-")

    def test_per_conversation_takes_the_session_where_dify_names_no_conversation(self) -> None:
        """A bound sys.conversation_id and Dify's own conversation are the same thing."""
        by_dify = _agent("per_conversation", conversation_id="c1")

        assert by_dify == _agent("per_conversation", session_id="c1")
        assert by_dify == _agent("per_conversation", conversation_id="c1", session_id="other")
        assert by_dify != _agent("per_conversation", conversation_id="c2")

    @pytest.mark.parametrize("isolation", ["per_user", "per_conversation"])
    def test_an_unknown_caller_is_refused(self, isolation: str) -> None:
        """Falling back to something wider would mix what was meant to stay apart."""
        with pytest.raises(InvalidRequest) as refused:
            _agent(isolation, user_id=None if isolation == "per_user" else "anna")

        assert refused.value.code == "isolation_unknown_caller"

    def test_an_unknown_isolation_is_refused(self) -> None:
        """Guessing `shared` would mix people."""
        with pytest.raises(InvalidRequest) as refused:
            _agent("per_team")

        assert refused.value.code == "isolation_invalid"

    def test_long_configured_ids_stay_apart_and_short_enough(self) -> None:
        """The part that is cut off still counts."""
        ids = {
            caller.read(call(isolation="per_user", mem9_agent_id="a" * 99 + end)).agent_id
            for end in "xy"
        }

        assert len(ids) == 2
        assert {len(agent_id) for agent_id in ids} == {100}


def test_a_call_never_shows_its_values() -> None:
    """A printed call must not print a key."""
    made = Call(parameters={"content": "c"}, credentials={"mem9_api_key": KEY})

    assert KEY not in repr(made)


def test_every_refusal_here_is_one_of_ours() -> None:
    """Odd types in credentials are refused, not crashed on."""
    with pytest.raises(Mem9AsyncError):
        caller.read(call(mem9_api_key=["sk"]))


class TestPerApp:
    """Isolation by Dify's app."""

    def test_every_user_of_an_app_has_one_app_of_mem9s(self) -> None:
        """Under the agent id that is configured: its memories are the app's."""
        one = caller.read(call(isolation="per_app", app_id=" app-1 "))
        other = caller.read(call(isolation="per_app", app_id="app-1", user_id="user-2"))

        assert (one.app_id, one.agent_id) == (other.app_id, other.agent_id) == ("app-1", "dify")
        assert one.kept_apart
        assert one.own_agent_id is None

    @pytest.mark.parametrize("app_id", [None, "", "  "])
    def test_a_call_without_an_app_is_refused(self, app_id: str | None) -> None:
        """It would be everybody's."""
        with pytest.raises(InvalidRequest) as refused:
            caller.read(call(isolation="per_app", app_id=app_id))

        assert refused.value.code == "isolation_unknown_caller"

    def test_in_every_other_isolation_dify_s_app_is_no_app_of_mem9s(self) -> None:
        """Nothing changes for who has chosen one of them."""
        for isolation in ("shared", "per_user"):
            assert caller.read(call(isolation=isolation, app_id="app-1")).app_id is None

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ("null", "app_id_invalid"),
            ("NULL", "app_id_invalid"),
            ("a\nb", "app_id_invalid"),
            ("a" * 101, "app_id_too_long"),
            ("\u00e4" * 51, "app_id_too_long"),
        ],
    )
    def test_a_name_that_mem9_cannot_keep_or_find_is_refused(self, given: str, code: str) -> None:
        """It counts bytes, and reads null as no name."""
        with pytest.raises(InvalidRequest) as refused:
            caller.app("app_id", given)

        assert refused.value.code == code

    def test_a_name_may_have_a_hundred_bytes(self) -> None:
        """Of any script."""
        assert caller.app("app_id", "\u00e4" * 50) == "\u00e4" * 50
        assert caller.app("app_id", None) is None
