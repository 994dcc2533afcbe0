"""What the tools of official statistics release of the same rows. Run by the promise `disclosure_oracles`.

Cell keys: `cell-key-perturbation` of the Office for National Statistics. Thresholds and dominance: `acro` of the UK research data centres.
The keys of entities are computed here from the node's secret, by the words of node/src/secret.rs and not by its code.

Usage: disclosure_check.py ROWS.csv SECRET PTABLE.csv RELEASED.csv
RELEASED.csv is what the node released: accom_type, move_on, stays, charges; a withheld cell is empty.
"""

import contextlib
import hashlib
import hmac
import io
import os
import struct
import sys
import tempfile

import acro
import pandas
from cell_key_perturbation.create_perturbed_table import create_perturbed_table

KEYS = ["accom_type", "move_on"]
MASK = (1 << 64) - 1


def siphash24(key, data):
    """SipHash-2-4 of Aumasson and Bernstein (2012), section 2."""

    def rotate(word, by):
        return ((word << by) | (word >> (64 - by))) & MASK

    def rounds(v, times):
        for _ in range(times):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def record_key(secret, entity, modulus):
    key = struct.pack("<Q", siphash24(secret[:16], entity.encode()))
    tag = hmac.new(secret[16:], key, hashlib.sha256).digest()
    return int.from_bytes(tag[:8], "big") % modulus


def nearest(value, base):
    return int((abs(value) * 2 + base) // (2 * base) * base)


def perturbed(rows, secret, ptable):
    """The cells of the ONS package, before its threshold; rounded as the node rounds."""
    modulus = int(ptable["ckey"].max()) + 1
    keyed = rows.assign(rk=[record_key(secret, person, modulus) for person in rows["person_key"]])
    with contextlib.redirect_stdout(io.StringIO()):
        table = create_perturbed_table(keyed, ptable, [], KEYS, "rk", use_existing_ons_id=False, threshold=0)
    return {tuple(row[key] for key in KEYS): nearest(row["count"], 5) for row in table.to_dict("records")}


def unsafe(rows):
    """The cells that ACRO would suppress in a table of sums."""
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        session = acro.ACRO(suppress=False)
        session.crosstab(rows["accom_type"], rows["move_on"], values=rows["weekly_charge"], aggfunc="sum")
        outcome = session.results.get_index(0).outcome
    cells = {}
    for accom_type, line in outcome.iterrows():
        for column, said in line.items():
            move_on = column[-1] if isinstance(column, tuple) else column
            if accom_type != "All" and move_on != "All":
                cells[accom_type, move_on] = str(said).strip()
    return cells


def main(rows_file, secret_file, ptable_file, released_file):
    rows = pandas.read_csv(rows_file)
    secret = open(secret_file, "rb").read()
    ptable = pandas.read_csv(ptable_file)
    released = pandas.read_csv(released_file).set_index(KEYS).to_dict("index")
    counts = rows.groupby(KEYS).size().to_dict()

    cells = perturbed(rows, secret, ptable)
    compared = moved = 0
    for key, count in counts.items():
        if count < 10:
            assert key not in released, f"{key} is told, of {count}"
            continue
        assert released[key]["stays"] == cells[key], f"{key}: {released[key]['stays']} of {count}, not {cells[key]}"
        compared += 1
        moved += cells[key] != nearest(count, 5)
    assert compared > 15 and moved > 2, (compared, moved)

    rules = {"MinimumThresholdCheck": 0, "PPercentCheck": 0, "NKCheck": 0, "ok": 0}
    for key, said in unsafe(rows).items():
        if key not in counts:
            continue
        withheld = key not in released or pandas.isna(released[key]["charges"])
        assert withheld == (said != "ok"), f"{key}: ACRO says {said!r}, the node {'withholds' if withheld else 'tells'} it"
        for rule in rules:
            rules[rule] += rule in said
    assert all(times > 0 for times in rules.values()), rules
    print(f"{compared} counts as the cell keys say, {moved} of them moved; {rules} as ACRO says")


main(*sys.argv[1:])
