"""Test words, to see a key left out of what is quoted in whatever form it comes back, and other words left alone."""

from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoadsl.adapters.base import Connection
from smoadsl.adapters.words import Secrets, redacted, shows_any, without

KEY = "sk-proj-q7/Z+w9Yb3=_kLmN0pRsTuVx8é2"
LAB = Connection("lab", api_key=KEY, headers={"Accept": "application/json", "x": "short", "y": "ab"})
RAW = KEY.encode()
FORMS = {
    "as it is": KEY,
    "for URLs": quote(KEY, safe=""),
    "for URLs twice": quote(quote(KEY, safe=""), safe=""),
    "base64": b64encode(RAW).decode(),
    "base64 for URLs": urlsafe_b64encode(RAW).decode(),
    "base64 behind Bearer": b64encode(b"Bearer " + RAW).decode(),
    "base64 behind a name": b64encode(b"me:" + RAW + b"\n").decode(),
    "hexadecimal": RAW.hex(),
    "cut by a line end": f"{KEY[:9]}\n{KEY[9:]}",
    "cut by spaces": " ".join(KEY),
    "cut by quotes": f'"{KEY[:20]}" "{KEY[20:]}"',
    "cut by what can not be seen": "\u200b".join(KEY),
    "in base64 of many lines": "\r\n".join(b64encode(RAW).decode()[at : at + 8] for at in range(0, 48, 8)),
    "its first half": KEY[:17],
    "its last half": KEY[17:],
    "twice": KEY + KEY,
}


@pytest.mark.parametrize("form", FORMS)
def test_a25_a_key_is_left_out_in_every_form(form: str) -> None:
    shown = redacted(f"you sent <{FORMS[form]}>, which is wrong", LAB)
    assert shown.startswith("you sent <")
    assert shown.endswith(">, which is wrong")
    assert "[redacted]" in shown
    own = FORMS[form][10 if "behind" in form else 0 :]
    assert not [at for at in range(len(own) - 8) if own[at : at + 8] in shown], shown


@given(st.text(max_size=40), st.text(max_size=40))
def test_what_stands_around_it_stays(before: str, behind: str) -> None:
    shown = redacted(f"{before}{KEY}{behind}", LAB)
    assert KEY not in shown
    if not set(before + behind) & set(KEY):
        assert shown == f"{before}[redacted]{behind}"


@given(st.text(alphabet="abcdefghij klmnopqrstuvwxyz.,", max_size=300))
def test_words_are_no_keys(text: str) -> None:
    assert redacted(text, Connection("lab", api_key="SK-PROJ-0123456789-ABCDEFGHIJ")) == text


def test_values_of_headers_are_left_out_whole_and_tear_no_words() -> None:
    assert redacted("an application error: ab is not short", LAB) == "an application error: ab is not [redacted]"
    assert redacted("it was application/json", LAB) == "it was [redacted]"
    assert redacted("nothing to hide", Connection("lab")) == "nothing to hide"


def test_secrets_that_are_worked_out_once_are_sought_as_any_other() -> None:
    secret = "sk-no-key-of-anybody-0123456789-abcdefghijklmnop"
    known, plain = Secrets((secret,)), (secret,)
    for text in ("Because.", "", "x" * 300, f"it is {secret}!", f"a part, {secret[9:30]}", secret.encode().hex()):
        assert without(text, known) == without(text, plain)
        assert (without(text, known) is text) == ("Because." in text or set(text) <= {"x"})
    assert without("nothing is sought", Secrets()) == "nothing is sought"


PARTS = [KEY, KEY[:8], KEY[8:20], RAW.hex(), RAW.hex().upper()[:20], b64encode(RAW).decode()[3:40], "sk-no-key-of-any"]
PARTS += [" ", "\n", '"', "A1", "0123", "words of an answer", "é", "QXZ"]


@given(st.lists(st.sampled_from(PARTS), max_size=8).map("".join), st.sampled_from([KEY, "sk-no-key-of-anybody-0123"]))
def test_whether_a_secret_may_stand_in_a_text_is_seen_as_by_looking_for_each_piece(text: str, secret: str) -> None:
    secrets = Secrets((secret,))
    squeezed = "".join(char for char in text if not (char.isspace() or not char.isprintable() or char in "\"'`\\"))
    assert shows_any(text, secrets) == any(piece in squeezed for piece in secrets.pieces)


@given(
    st.lists(st.sampled_from([*PARTS, "s", "sk", "sk-pr", "sk-sk-proj-q7", "73"]), max_size=5).map("".join),
    st.integers(0, 60),
)
def test_where_the_end_of_a_text_may_begin_a_secret(text: str, place: int) -> None:
    secrets, place = Secrets((KEY,)), min(place, len(text))
    ends = (
        at
        for at in range(place, len(text))
        for form in secrets.forms
        if form.startswith(text[at:]) and form != text[at:]
    )
    assert secrets.begins_at(text, place) == next(ends, len(text))
