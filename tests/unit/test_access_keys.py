"""API keys: kept as digests, told apart in constant time, read again when their file changes."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike_service.access.caller import Caller
from lookalike_service.access.exposure import check_address, is_loopback
from lookalike_service.access.keyring import Keyring, open_keyring, read_file
from lookalike_service.access.keys import (
    ROLES,
    Key,
    Role,
    digest,
    entry,
    new_key,
    read_keys,
    write_keys,
)
from lookalike_service.errors import Forbidden, InvalidField, Unauthorized
from lookalike_service.settings import Settings

PAST, FUTURE = "2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z"


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def written(file: Path, *keys: Key) -> Path:
    """Replaced as `lookalike keys` does it, so that even a file of the same size is another one."""
    draft = file.with_name("draft")
    draft.write_text(write_keys(keys))
    draft.replace(file)
    return file


def test_a_key_is_random_and_its_entry_does_not_hold_it() -> None:
    key, other = new_key(), new_key()
    assert key != other
    assert len(key) >= 43, "32 bytes in base64"
    assert key not in write_keys([entry(key, "read")])
    assert Keyring((entry(other, "read"), entry(key, "write"))).find(key).role == "write"


@given(st.text(max_size=60))
def test_whatever_is_no_key_is_refused(text: str) -> None:
    keyring = Keyring((entry(new_key(), "admin"),))
    with pytest.raises(Unauthorized):
        keyring.find(text)


def test_every_entry_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, constant_time = list[tuple[str, str]](), hmac.compare_digest

    def compare(a: str, b: str) -> bool:
        compared.append((a, b))
        return constant_time(a, b)

    monkeypatch.setattr("hmac.compare_digest", compare)
    known = [new_key() for _ in range(5)]
    keyring = Keyring(tuple(entry(key, "read") for key in known))
    for key in (known[0], known[4]):
        compared.clear()
        keyring.find(key)
        assert [pair[0] for pair in compared] == [digest(each) for each in known]


def test_an_expired_key_is_refused_and_told_so() -> None:
    key = new_key()
    old = entry(key, "read", name="old", expires=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(Unauthorized, match="'old' has expired"):
        Keyring((old,)).find(key)
    soon = entry(key, "read", expires=datetime.now(UTC) + timedelta(hours=1))
    assert Keyring((soon,)).find(key) is soon


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "JSON"),
        ("{}", "array"),
        ('[{"role": "read"}]', "0.sha256"),
        (json.dumps([{"sha256": "ab", "role": "read"}]), "0.sha256"),
        (json.dumps([{"sha256": "0" * 64, "role": "root"}]), "0.role"),
        (json.dumps([{"sha256": "0" * 64, "role": "read", "scope": "x"}]), "0.scope"),
        (json.dumps([{"sha256": "0" * 64, "role": "read", "collections": []}]), "0.collections"),
        (json.dumps([{"sha256": "0" * 64, "role": "read", "expires": "2027-01-01T00:00:00"}]), "time"),
        (json.dumps([{"sha256": "0" * 64, "role": "read"}] * 2), "Two keys have the sha256"),
    ],
)  # fmt: skip
def test_entries_that_are_wrong_are_named(text: str, said: str) -> None:
    with pytest.raises(InvalidField, match=said):
        read_keys(text)


def test_keys_rotate_without_a_restart(tmp_path: Path) -> None:
    first, second, clock = new_key(), new_key(), Clock()
    file = written(tmp_path / "keys.json", entry(first, "read"))
    keyring = Keyring(file=file, clock=clock)
    written(file, entry(second, "read"))
    clock.now += 1.5
    assert keyring.find(second)
    with pytest.raises(Unauthorized):
        keyring.find(first)


def test_a_file_is_looked_at_once_a_second_at_most(tmp_path: Path) -> None:
    first, second, clock = new_key(), new_key(), Clock()
    file = written(tmp_path / "keys.json", entry(first, "read"))
    keyring = Keyring(file=file, clock=clock)
    written(file, entry(second, "read"))
    clock.now += 0.5
    assert keyring.find(first)


@pytest.mark.parametrize("broken", ["[", "", "null", None])
def test_a_broken_new_file_leaves_the_old_keys_in_force(tmp_path: Path, broken: str | None) -> None:
    key, later, clock = new_key(), new_key(), Clock()
    file = written(tmp_path / "keys.json", entry(key, "read"))
    keyring = Keyring(file=file, clock=clock)
    file.unlink()
    if broken is not None:
        file.write_text(broken)
    clock.now += 2
    assert keyring.find(key)
    written(file, entry(later, "read"))
    clock.now += 2
    assert keyring.find(later), "and a sound one is read again"


def test_a_file_without_a_key_lets_nobody_in(tmp_path: Path) -> None:
    keyring = Keyring(file=written(tmp_path / "keys.json"))
    with pytest.raises(Unauthorized):
        keyring.find(new_key())


def test_a_service_does_not_start_on_a_file_that_it_cannot_read(tmp_path: Path) -> None:
    for file in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InvalidField, match=str(file)):
            open_keyring(Settings(api_keys_file=file))
    with pytest.raises(InvalidField, match="LOOKALIKE_API_KEYS: "):
        open_keyring(Settings(api_keys="x"))
    with pytest.raises(InvalidField, match="not both"):
        open_keyring(Settings(api_keys="[]", api_keys_file=tmp_path))


def test_settings_that_are_empty_are_as_if_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_API_KEYS", "")
    monkeypatch.setenv("LOOKALIKE_API_KEYS_FILE", "")
    assert open_keyring(Settings()) is None


@given(st.sampled_from(ROLES), st.sampled_from(ROLES))
def test_a_role_may_do_what_those_before_it_may(held: Role, needed: Role) -> None:
    caller = Caller("k", held)
    assert caller.may(needed) == (ROLES.index(held) >= ROLES.index(needed))
    if not caller.may(needed):
        with pytest.raises(Forbidden, match=f"'{needed}'; key 'k' has '{held}'"):
            caller.check_role(needed)


@pytest.mark.parametrize(
    ("scope", "name", "seen"),
    [
        (None, "anything", True),
        (("shop",), "shop", True),
        (("shop",), "shop-eu", False),
        (("shop-*",), "shop-eu", True),
        (("shop-*",), "my-shop-eu", False),
        (("a", "b?"), "b1", True),
        (("*-public",), "private@x-public", False),
        (("shop",), "shop@0123", True),
        (("shop",), "SHOP", False),
    ],
)
def test_a_scope_is_of_names_and_patterns(
    scope: tuple[str, ...] | None, name: str, seen: bool
) -> None:
    assert Caller("k", "admin", scope).sees(name) == seen


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LocalHost.", "::ffff:127.0.0.1"]
)  # fmt: skip
def test_without_keys_loopback_is_allowed(host: str) -> None:
    assert is_loopback(host)
    check_address(Settings(host=host), has_keys=False)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com", "", "x"]  # noqa: S104 - it is refused
)  # fmt: skip
def test_without_keys_any_other_address_is_refused_with_what_to_run(host: str) -> None:
    with pytest.raises(InvalidField, match="lookalike keys new") as refused:
        check_address(Settings(host=host), has_keys=False)
    assert "--open" in refused.value.detail
    check_address(Settings(host=host), has_keys=True)
    check_address(Settings(host=host, open=True), has_keys=False)


def test_a_key_file_is_private_and_keeps_the_mode_it_was_given(tmp_path: Path) -> None:
    from lookalike_service import keys_commands

    file = tmp_path / "keys.json"
    keys_commands._write(file, [])
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    keys_commands._write(file, [entry(new_key(), "read")])
    assert file.stat().st_mode & 0o777 == 0o640
    assert len(read_file(file)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]
