"""Profiles and variables, against Temporal's own reader where both know the setting."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from temporalio.envconfig import ClientConfig as TheirConfig
from temporalio.envconfig import ClientConfigProfile as TheirProfile

from durable_nb.envconfig import ClientConfig, ClientConfigProfile, ClientConfigTLS
from durable_nb.errors import ConfigError

TOML = """
[profile.default]
address = "sqlite:///a.db"
namespace = "n"
[profile.default.grpc_meta]
Some_Key = "v"
"other-key" = "w"
[profile.Prod]
address = "postgresql://p/db"
api_key = "k"
[profile.plain]
address = "sqlite:///plain.db"
[profile.plain.tls]
disabled = true
server_name = "s"
client_cert_path = "/a"
client_key_data = "key"
"""

VARIABLES: list[dict[str, str]] = [
    {},
    {"TEMPORAL_PROFILE": "Prod"},
    {"TEMPORAL_PROFILE": ""},
    {"TEMPORAL_ADDRESS": "sqlite:///e.db", "TEMPORAL_NAMESPACE": "en"},
    {"TEMPORAL_ADDRESS": ""},
    {"TEMPORAL_API_KEY": "ek"},
    {"TEMPORAL_GRPC_META_SOME_KEY": "", "TEMPORAL_GRPC_META_NEW_ONE": "x"},
    {"TEMPORAL_TLS": "0"},
    {"TEMPORAL_TLS": "true"},
    {"UNRELATED": "1"},
]
OPTIONS: list[dict[str, Any]] = [{}, {"disable_env": True}, {"disable_file": True}, {"profile": "Prod"}]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(TOML)
    return path


@pytest.mark.parametrize(("variables", "options"), list(itertools.product(VARIABLES, OPTIONS)))
@pytest.mark.parametrize("named_by_variable", [False, True])
def test_what_is_loaded_is_what_temporal_loads(
    file: Path, variables: dict[str, str], options: dict[str, Any], named_by_variable: bool
) -> None:
    keywords: dict[str, Any] = {"override_env_vars": variables, **options}
    if named_by_variable:
        keywords["override_env_vars"] = {**variables, "TEMPORAL_CONFIG_FILE": str(file)}
    elif "disable_file" not in options:
        keywords["config_file"] = str(file)
    try:
        expected: Any = dict(TheirConfig.load_client_connect_config(**keywords))
    except Exception as error:
        with pytest.raises(ConfigError, match=str(error).split(":")[0][:20]):
            ClientConfig.load_client_connect_config(**keywords)
        return
    if "tls" in expected:
        expected["tls"] = bool(expected["tls"])
    assert ClientConfig.load_client_connect_config(**keywords) == expected


def test_profiles_are_read_and_written_as_temporal_does() -> None:
    mine = ClientConfig.load(config_source=TOML, override_env_vars={})
    other = TheirConfig.load(config_source=TOML, override_env_vars={})
    assert mine.to_dict() == other.to_dict()
    assert ClientConfig.from_dict(mine.to_dict()) == mine
    assert mine.profiles["plain"].tls == ClientConfigTLS(
        disabled=True, server_name="s", client_cert=Path("/a"), client_private_key="key"
    )


def test_the_content_may_be_given_as_bytes() -> None:
    mine = ClientConfigProfile.load("Prod", config_source=TOML.encode(), override_env_vars={})
    other = TheirProfile.load("Prod", config_source=TOML.encode(), override_env_vars={})
    assert (mine.address, mine.api_key, mine.tls) == (other.address, other.api_key, other.tls)


def test_with_nothing_configured_the_program_sets_its_own_default(tmp_path: Path) -> None:
    config = ClientConfig.load_client_connect_config(override_env_vars={"XDG_CONFIG_HOME": str(tmp_path)})
    assert config == {}
    config.setdefault("target_host", "sqlite:///durable.db")
    assert config["target_host"] == "sqlite:///durable.db"


def test_the_store_variable_is_the_address_above_all_others(file: Path) -> None:
    variables = {"DURABLE_NB_STORE": "sqlite:///mine.db", "TEMPORAL_ADDRESS": "sqlite:///e.db"}
    config = ClientConfig.load_client_connect_config(config_file=str(file), override_env_vars=variables)
    assert (config["target_host"], config["namespace"]) == ("sqlite:///mine.db", "n")
    without = ClientConfig.load_client_connect_config(
        config_file=str(file), override_env_vars=variables, disable_env=True
    )
    assert without["target_host"] == "sqlite:///a.db"
    empty = ClientConfig.load_client_connect_config(config_file=str(file), override_env_vars={"DURABLE_NB_STORE": ""})
    assert empty["target_host"] == "sqlite:///a.db"


def test_the_users_own_configuration_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    (tmp_path / "temporalio").mkdir()
    (tmp_path / "temporalio" / "temporal.toml").write_text(TOML)
    config = ClientConfig.load_client_connect_config(override_env_vars={"XDG_CONFIG_HOME": str(tmp_path)})
    assert config["target_host"] == "sqlite:///a.db"


def test_the_process_environment_is_used_without_an_override(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
    monkeypatch.setenv("TEMPORAL_PROFILE", "Prod")
    monkeypatch.delenv("DURABLE_NB_STORE", raising=False)
    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    assert ClientConfig.load_client_connect_config()["target_host"] == "postgresql://p/db"
    assert set(ClientConfig.load().profiles) == {"default", "Prod", "plain"}


def test_an_empty_variable_removes_the_key() -> None:
    profile = ClientConfigProfile.load(
        "Prod", config_source=TOML, override_env_vars={"TEMPORAL_API_KEY": "", "TEMPORAL_NAMESPACE": ""}
    )
    assert profile.to_client_connect_config() == {"target_host": "postgresql://p/db"}


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("[profile.default", {}, "cannot be read"),
        (b"\xff", {}, "cannot be read"),
        ("profile = 5", {}, "must hold tables"),
        (TOML, {"profile": "prod"}, "Profile 'prod' not found"),
        ("", {"profile": "x"}, "Profile 'x' not found"),
        ("[profile.default]\naddres = 'x'", {"config_file_strict": True}, "unknown field 'addres'"),
        ("[profiles.default]", {"config_file_strict": True}, "unknown field 'profiles'"),
        (None, {"disable_file": True, "disable_env": True}, "Cannot disable both"),
    ],
)
def test_mistakes_are_named(source: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ClientConfigProfile.load(config_source=source, override_env_vars={}, **options)


def test_mistyped_names_get_a_proposal() -> None:
    with pytest.raises(ConfigError, match="did you mean 'Prod'"):
        ClientConfigProfile.load("prod", config_source=TOML, override_env_vars={})
    with pytest.raises(ConfigError, match="did you mean 'address'"):
        ClientConfig.load(config_source="[profile.a]\naddres = 'x'", config_file_strict=True, override_env_vars={})


def test_unknown_keys_are_ignored_unless_strict() -> None:
    source = "[profile.default]\naddres = 'x'\n[other]\na = 1"
    assert ClientConfigProfile.load(config_source=source, override_env_vars={}) == ClientConfigProfile()
