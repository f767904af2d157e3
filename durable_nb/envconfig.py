"""Arguments for ``Client.connect`` from environment variables and TOML profiles.

The address is the URL of the store. In rising order of precedence: a profile of the configuration file, the
``TEMPORAL_*`` variables, ``DURABLE_NB_STORE`` (address only). With nothing configured the result has no
``target_host``, so that programs can ``setdefault`` it. Files and variables are those of Temporal's SDKs::

    [profile.default]
    address = "sqlite:////home/ann/durable.db"
    namespace = "default"

Variables: TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE, TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY,
TEMPORAL_TLS, TEMPORAL_GRPC_META_<KEY>. API key, TLS and metadata mean nothing to a store; they are read and handed
on, so that a program moves to a cluster unchanged.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from durable_nb.errors import ConfigError
from durable_nb.model.spelling import nearest

DataSource: TypeAlias = Path | str | bytes
"""A file by its Path, or the content itself."""

_PROFILE_KEYS = ("address", "namespace", "api_key", "tls", "codec", "grpc_meta")
_META_PREFIX = "TEMPORAL_GRPC_META_"


class ClientConnectConfig(TypedDict, total=False):
    """Keyword arguments for ``Client.connect``."""

    target_host: str
    namespace: str
    api_key: str
    tls: bool
    rpc_metadata: Mapping[str, str]


@dataclass(frozen=True)
class ClientConfigTLS:
    """TLS settings of a profile; a store's own URL says how its connection is encrypted."""

    disabled: bool | None = None
    server_name: str | None = None
    server_root_ca_cert: DataSource | None = None
    client_cert: DataSource | None = None
    client_private_key: DataSource | None = None

    @classmethod
    def from_dict(cls, d: Mapping[str, Any] | None) -> ClientConfigTLS | None:
        """Settings from the TOML table; None for none."""
        if not d:
            return None
        return cls(
            disabled=d.get("disabled"),
            server_name=d.get("server_name"),
            server_root_ca_cert=_source(d, "server_ca_cert"),
            client_cert=_source(d, "client_cert"),
            client_private_key=_source(d, "client_key"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The TOML table of these settings."""
        table: dict[str, Any] = {}
        if self.disabled is not None:
            table["disabled"] = self.disabled
        if self.server_name is not None:
            table["server_name"] = self.server_name
        sources = {
            "server_ca_cert": self.server_root_ca_cert,
            "client_cert": self.client_cert,
            "client_key": self.client_private_key,
        }
        for name, source in sources.items():
            if isinstance(source, Path):
                table[name] = {"path": str(source)}
            elif source is not None:
                table[name] = {"data": source if isinstance(source, str) else source.decode()}
        return table

    def to_connect_tls_config(self) -> bool:
        """Whether TLS is wanted."""
        return self.disabled is not True


def _source(table: Mapping[str, Any], name: str) -> DataSource | None:
    """A certificate: ``{data = …}`` or ``{path = …}``, or ``name_data`` and ``name_path``."""
    nested = table.get(name) or {}
    data, path = nested.get("data", table.get(f"{name}_data")), nested.get("path", table.get(f"{name}_path"))
    if data is not None:
        return data  # type: ignore[no-any-return]
    return None if path is None else Path(path)


@dataclass(frozen=True)
class ClientConfigProfile:
    """One named set of settings."""

    address: str | None = None
    """URL of the store."""

    namespace: str | None = None
    api_key: str | None = None
    tls: ClientConfigTLS | None = None
    grpc_meta: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> ClientConfigProfile:
        """Profile from its TOML table."""
        return cls(
            address=d.get("address"),
            namespace=d.get("namespace"),
            api_key=d.get("api_key"),
            tls=ClientConfigTLS.from_dict(d.get("tls")),
            grpc_meta=d.get("grpc_meta") or {},
        )

    def to_dict(self) -> dict[str, Any]:
        """The TOML table of this profile, unset keys left out."""
        table: dict[str, Any] = {
            key: value
            for key, value in (("address", self.address), ("namespace", self.namespace), ("api_key", self.api_key))
            if value is not None
        }
        if self.tls is not None and (tls := self.tls.to_dict()):
            table["tls"] = tls
        if self.grpc_meta:
            table["grpc_meta"] = dict(self.grpc_meta)
        return table

    def to_client_connect_config(self) -> ClientConnectConfig:
        """Keyword arguments for ``Client.connect``, unset ones left out."""
        config: ClientConnectConfig = {}
        if self.address:
            config["target_host"] = self.address
        if self.namespace:
            config["namespace"] = self.namespace
        if self.api_key:
            config["api_key"] = self.api_key
            config["tls"] = True
        if self.tls is not None:
            config["tls"] = self.tls.to_connect_tls_config()
        if self.grpc_meta:
            config["rpc_metadata"] = self.grpc_meta
        return config

    @staticmethod
    def load(
        profile: str | None = None,
        *,
        config_source: DataSource | None = None,
        disable_file: bool = False,
        disable_env: bool = False,
        config_file_strict: bool = False,
        override_env_vars: Mapping[str, str] | None = None,
    ) -> ClientConfigProfile:
        """One profile, environment variables applied.

        Parameters
        ----------
        profile
            Its name; None for TEMPORAL_PROFILE, else ``default``, which need not exist.
        config_source
            A file or its content; None for TEMPORAL_CONFIG_FILE, else ``temporalio/temporal.toml`` in the user's
            configuration directory. A missing file is an empty one.
        disable_file, disable_env
            Leave out one of the two sources; not both. ``disable_file`` concerns files found by themselves.
        config_file_strict
            Refuse keys that are not known.
        override_env_vars
            Variables to use instead of the process's.

        Raises
        ------
        ConfigError
            DNB508: the file is not TOML, the profile is not in it, or (strict) it has unknown keys.
        """
        if disable_file and disable_env:
            raise ConfigError("Cannot disable both file and environment loading", fix="leave one of them on")
        variables = os.environ if override_env_vars is None else override_env_vars
        tables: dict[str, Any] = {}
        if config_source is not None or not disable_file:
            tables = _read_profiles(config_source, variables, strict=config_file_strict)
        asked = profile or (None if disable_env else variables.get("TEMPORAL_PROFILE")) or None
        table = tables.get(asked or "default")
        if table is None and asked is not None and not disable_file:
            raise _no_such_profile(asked, tables)
        table = dict(table or {})
        if not disable_env:
            _apply_variables(table, variables)
        return ClientConfigProfile.from_dict(table)


@dataclass
class ClientConfig:
    """All profiles of a configuration file."""

    profiles: Mapping[str, ClientConfigProfile]
    """By name."""

    @classmethod
    def from_dict(cls, d: Mapping[str, Mapping[str, Any]]) -> ClientConfig:
        """Configuration from tables by name of profile."""
        return cls(profiles={name: ClientConfigProfile.from_dict(table) for name, table in d.items()})

    def to_dict(self) -> Mapping[str, dict[str, Any]]:
        """Tables by name of profile."""
        return {name: profile.to_dict() for name, profile in self.profiles.items()}

    @staticmethod
    def load(
        *,
        config_source: DataSource | None = None,
        config_file_strict: bool = False,
        override_env_vars: Mapping[str, str] | None = None,
    ) -> ClientConfig:
        """All profiles, environment variables not applied; parameters and errors as for a single profile."""
        variables = os.environ if override_env_vars is None else override_env_vars
        return ClientConfig.from_dict(_read_profiles(config_source, variables, strict=config_file_strict))

    @staticmethod
    def load_client_connect_config(
        profile: str | None = None,
        *,
        config_file: str | None = None,
        disable_file: bool = False,
        disable_env: bool = False,
        config_file_strict: bool = False,
        override_env_vars: Mapping[str, str] | None = None,
    ) -> ClientConnectConfig:
        """Keyword arguments for ``Client.connect`` from one profile and the environment.

        Parameters are those of ``ClientConfigProfile.load``; ``config_file`` is a path.

        Examples
        --------
        >>> config = ClientConfig.load_client_connect_config()
        >>> config.setdefault("target_host", "sqlite:///durable.db")  # doctest: +SKIP
        """
        return ClientConfigProfile.load(
            profile,
            config_source=Path(config_file) if config_file and not disable_file else None,
            disable_file=disable_file,
            disable_env=disable_env,
            config_file_strict=config_file_strict,
            override_env_vars=override_env_vars,
        ).to_client_connect_config()


# -- reading -------------------------------------------------------------------------------------------------------


def _default_file(variables: Mapping[str, str]) -> Path:
    if sys.platform == "win32":
        directory = Path(variables.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        directory = Path.home() / "Library" / "Application Support"
    else:
        directory = Path(variables.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return directory / "temporalio" / "temporal.toml"


def _read_profiles(source: DataSource | None, variables: Mapping[str, str], *, strict: bool) -> dict[str, Any]:
    if source is None:
        named = variables.get("TEMPORAL_CONFIG_FILE")
        source = Path(named) if named else _default_file(variables)
    where = str(source) if isinstance(source, Path) else "the given configuration"
    try:
        if isinstance(source, Path):
            text = source.read_text(encoding="utf-8") if source.is_file() else ""
        else:
            text = source if isinstance(source, str) else source.decode()
        parsed = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"the configuration cannot be read: {error}", where=where, fix="correct the file") from error
    profiles = parsed.get("profile") or {}
    if not isinstance(profiles, dict) or not all(isinstance(table, dict) for table in profiles.values()):
        raise ConfigError("'profile' must hold tables", where=where, fix="write [profile.default]")
    if strict:
        _refuse_unknown(parsed, ("profile",), where)
        for name, table in profiles.items():
            _refuse_unknown(table, _PROFILE_KEYS, f"{where}, profile {name!r}")
    return {name: _normalized(table) for name, table in profiles.items()}


def _refuse_unknown(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            close = nearest(key, known)
            meant = f"did you mean {close!r}? " if close else ""
            raise ConfigError(f"unknown field {key!r}", where=where, fix=f"{meant}Known: {', '.join(known)}")


def _normalized(table: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata keys as gRPC spells them: lower case, hyphens."""
    meta = {key.lower().replace("_", "-"): value for key, value in (table.get("grpc_meta") or {}).items()}
    return {**table, "grpc_meta": meta}


def _apply_variables(table: dict[str, Any], variables: Mapping[str, str]) -> None:
    """An empty variable removes what the file says."""
    for key, name in (
        ("address", "TEMPORAL_ADDRESS"),
        ("namespace", "TEMPORAL_NAMESPACE"),
        ("api_key", "TEMPORAL_API_KEY"),
        ("address", "DURABLE_NB_STORE"),
    ):
        if name in variables and (variables[name] or name != "DURABLE_NB_STORE"):
            table[key] = variables[name]
    if variables.get("TEMPORAL_TLS"):
        wanted = variables["TEMPORAL_TLS"].strip().lower() not in ("0", "false", "no", "off")
        table["tls"] = {**(table.get("tls") or {}), "disabled": not wanted}
    meta = dict(table.get("grpc_meta") or {})
    for name, value in variables.items():
        if name.startswith(_META_PREFIX):
            key = name[len(_META_PREFIX) :].lower().replace("_", "-")
            if value:
                meta[key] = value
            else:
                meta.pop(key, None)
    table["grpc_meta"] = meta


def _no_such_profile(name: str, tables: Mapping[str, Any]) -> ConfigError:
    close = nearest(name, tables, cutoff=0.5)
    meant = f"did you mean {close!r}? " if close else ""
    listed = ", ".join(map(repr, tables)) or "none"
    return ConfigError(f"Profile {name!r} not found", fix=f"{meant}Profiles there: {listed}")
