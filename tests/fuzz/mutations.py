"""Seeded changes of bytes and of JSON: those that real damage, careless tools and ill will make."""

import copy
from random import Random
from typing import Any

# fmt: off
ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 10**6, 2**31, 2**63, 2**64, 10**400, -0.5, 1e-320, 1e308, float("nan"), float("inf"),
    "", " ", "\x1b[2J", "\u202ea", "é", "e\u0301", "x" * 5000, "../../etc/passwd", "=1+1", "1", "nan", "\ud800",
    [], {}, [[]], [0, "a", None], {"a": {"b": []}},
]
# fmt: on
ODD_BYTES = (
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\0\0\0\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x1b[31m",
    b"\r\n",
)


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """One to four changes: bits, runs of zeros, lengths, cuts, repeats, insertions."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        if not changed:
            return random.randbytes(random.randrange(20))
        start = random.randrange(len(changed)) if random.random() < 0.5 else random.randrange(min(len(changed), 300))
        length = random.choice((1, 2, 4, 16, 200))
        kind = random.randrange(7)
        if kind == 0:
            changed[start] ^= 1 << random.randrange(8)
        elif kind == 1:
            del changed[start:]
        elif kind == 2:
            changed[start : start + length] = bytes(length)
        elif kind == 3:
            changed[start : start + 4] = random.choice(ODD_BYTES)
        elif kind == 4:
            changed[start:start] = changed[start : start + length] * random.choice((1, 30))
        elif kind == 5:
            del changed[start : start + length]
        else:
            changed[start : start + length] = random.randbytes(length)
    return bytes(changed)


def mutate_json(content: Any, random: Random) -> Any:
    """One to three values replaced, removed or added, at any depth."""
    changed = copy.deepcopy(content)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        holders = [each for each in _holders(changed) if each]
        if not holders or random.random() < 0.03:
            return random.choice(ODD_VALUES)
        holder = random.choice(holders)
        key = random.choice(list(holder)) if isinstance(holder, dict) else random.randrange(len(holder))
        kind = random.randrange(5)
        if kind == 0:
            del holder[key]
        elif kind == 1:
            value = copy.deepcopy(holder[key])
            if isinstance(holder, dict):
                holder[str(random.choice(("extra", key, "", "\x1b")))] = value
            else:
                holder.insert(key, value)
        else:
            holder[key] = copy.deepcopy(random.choice(ODD_VALUES))
    return changed


def _holders(content: Any) -> list[Any]:
    """Every dict and list in JSON."""
    if not isinstance(content, dict | list):
        return []
    inner = content.values() if isinstance(content, dict) else content
    return [content, *(holder for each in inner for holder in _holders(each))]
