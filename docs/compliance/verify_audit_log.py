#!/usr/bin/env python3
"""Checks Bedside's audit log without Bedside: Python's standard library, nothing else.

    verify_audit_log.py log FOLDER --vkey KEY       a log that was exported as tiles
    verify_audit_log.py lines FILE --checkpoint FILE --vkey KEY
                                                    all entries as JSON Lines
    verify_audit_log.py proof FILE --vkey KEY       one entry with its proof (.tlog-proof)
    verify_audit_log.py grown OLD NEW PROOF --vkey KEY
                                                    that the log of NEW begins with that of OLD

KEY is the log's verifier key (name+id+base64), which you were given by another way than the log;
repeat it if the log had several. --witness KEY demands the cosignature of a witness. --older FILE
(with log and lines) compares a checkpoint that you kept. The formats are described in
audit-log.md, beside this file. Ends with 0 if all is well, with 1 and a sentence if not.
"""
import argparse
import base64
import hashlib
import json
import os
import struct
import sys
from datetime import datetime, timezone


class Wrong(Exception):
    """Something that is not as it should be, said for the reader."""


# Ed25519 (RFC 8032 section 5.1), verification only.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def point(data):
    """The point of 32 bytes as (X, Y, Z, T), or None."""
    y = int.from_bytes(data, "little")
    odd, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and odd):
        return None
    x = P - x if x & 1 != odd else x
    return x, y, 1, x * y % P


def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, p):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, p)
        p, scalar = add(p, p), scalar >> 1
    return result


BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519(public, message, signature):
    """Whether the signature is that of the public key over the message."""
    if len(signature) != 64:
        return False
    a, r = point(public), point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    left = times(s, BASE)
    right = add(r, times(int.from_bytes(digest, "little") % ORDER, a))
    return not ((left[0] * right[2] - right[0] * left[2]) % P
                or (left[1] * right[2] - right[1] * left[2]) % P)


# The Merkle tree (RFC 6962 section 2.1).
def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """A tree that grows, by its right edge: (height, hash), the largest first."""

    def __init__(self):
        self.size, self.edge = 0, []

    def append(self, leaf):
        node = (0, leaf)
        while self.edge and self.edge[-1][0] == node[0]:
            height, left = self.edge.pop()
            node = (height + 1, node_hash(left, node[1]))
        self.edge.append(node)
        self.size += 1

    def root(self):
        if not self.edge:
            return hashlib.sha256(b"").digest()
        root = self.edge[-1][1]
        for _, left in reversed(self.edge[:-1]):
            root = node_hash(left, root)
        return root


def root_of_inclusion(leaf, index, size, proof):
    """RFC 9162 section 2.1.3.2."""
    if index >= size:
        raise Wrong(f"index {index} is not in a tree of {size} entries")
    node, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise Wrong("the proof is too long")
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise Wrong("the proof is too short")
    return root


def check_consistency(old, new, proof):
    """RFC 9162 section 2.1.4.2, for two checkpoints."""
    if old["size"] > new["size"]:
        raise Wrong("the newer checkpoint has fewer entries: the log was rolled back or cut")
    if old["size"] in (0, new["size"]):
        if proof or (old["size"] and old["root"] != new["root"]):
            raise Wrong("two checkpoints of the same size differ: the log was forked")
        return
    if old["size"] & (old["size"] - 1) == 0:
        proof = [old["root"]] + proof
    if not proof:
        raise Wrong("the proof is too short")
    node, last = old["size"] - 1, new["size"] - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            raise Wrong("the proof is too long")
        if node & 1 or node == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        node, last = node >> 1, last >> 1
    if last or first != old["root"] or second != new["root"]:
        raise Wrong("the newer log does not begin with the older one: it was rewritten or forked")


# Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint, tlog-cosignature).
def decode(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong("base64 is expected where something else stands") from None
    if base64.b64encode(data).decode() != text:
        raise Wrong("base64 is written in an unusual way")
    return data


def hash_of(text):
    data = decode(text)
    if len(data) != 32:
        raise Wrong("a hash has 32 bytes")
    return data


def verifier_key(text):
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or not parts[0]:
        raise Wrong("a verifier key is written name+id+base64")
    name, key_id, data = parts[0], parts[1], decode(parts[2])
    expected = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    if len(data) != 33 or data[0] not in (1, 4) or key_id != expected.hex():
        raise Wrong(f"the verifier key of {name} is not one, or was mistyped")
    return {"name": name, "id": expected, "kind": data[0], "key": data[1:]}


def checkpoint(text):
    body, blank, lines = text.partition("\n\n")
    body += "\n"
    rows = body.split("\n")
    if not blank or len(rows) != 4 or not rows[1].isdigit() or str(int(rows[1])) != rows[1]:
        raise Wrong("this is not a checkpoint")
    signatures = []
    for line in lines.splitlines():
        words = line.split(" ")
        if len(words) != 3 or words[0] != "\u2014":
            raise Wrong("a line of the checkpoint is not a signature")
        data = decode(words[2])
        signatures.append((words[1], data[:4], data[4:]))
    return {"origin": rows[0], "size": int(rows[1]), "root": hash_of(rows[2]),
            "body": body.encode(), "signatures": signatures}


def signed_by(note, key):
    """Whether the note is signed by that key; for a witness, when."""
    found = False
    for name, key_id, signature in note["signatures"]:
        if (name, key_id) != (key["name"], key["id"]):
            continue
        message, found = note["body"], True
        if key["kind"] == 4:
            if len(signature) != 72:
                raise Wrong(f"the cosignature of {name} is malformed")
            found = struct.unpack(">Q", signature[:8])[0]
            message, signature = b"cosignature/v1\ntime %d\n" % found + message, signature[8:]
        if not ed25519(key["key"], message, signature):
            raise Wrong(f"the signature of {name} is wrong")
    return found


class Keys:
    """The log's keys, as they are handed over."""

    def __init__(self, keys):
        self.trusted, self.announced = keys, []

    def entry(self, data):
        if data.startswith(b'{"action":"key.rotate"'):
            entry = json.loads(data)
            if entry.get("object", {}).get("kind") == "log_key" and "vkey" in entry.get("facts", {}):
                self.announced.append(verifier_key(entry["facts"]["vkey"]))

    def check(self, note):
        if not any(signed_by(note, key) for key in self.trusted if key["name"] == note["origin"]):
            raise Wrong(f"the checkpoint of size {note['size']} is not signed by a trusted key")
        for key in self.announced:
            if key["name"] == note["origin"] and signed_by(note, key):
                self.trusted = [key]


def check_witnesses(note, witnesses):
    for witness in witnesses:
        seen = signed_by(note, witness)
        if not seen:
            raise Wrong(f"the witness {witness['name']} has not cosigned this checkpoint")
        when = datetime.fromtimestamp(seen, timezone.utc).isoformat()
        print(f"seen by {witness['name']} at {when}")


# Entries.
def check_entry(index, data):
    """An entry is canonical JSON (RFC 8785, of which these use texts, integers, true and false)."""
    try:
        entry = json.loads(data)
        again = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except ValueError:
        raise Wrong(f"entry {index} is not JSON") from None
    if again.encode() != data or entry.get("v") != 1:
        raise Wrong(f"entry {index} is not in canonical form")
    return entry


def check_entries(entries, notes, keys):
    """Goes through all entries; notes are checkpoints in order of size."""
    tree, notes = Tree(), list(notes)
    for data in [*entries, None]:
        while notes and notes[0]["size"] == tree.size:
            note = notes.pop(0)
            keys.check(note)
            if note["root"] != tree.root():
                raise Wrong(f"the entries are not those that the checkpoint of size {note['size']} "
                            "was signed for: one was changed, removed, inserted or moved")
        if data is not None:
            check_entry(tree.size, data)
            keys.entry(data)
            tree.append(leaf_hash(data))
            yield tree.size - 1, data
    if notes:
        raise Wrong(f"a checkpoint speaks of {notes[0]['size']} entries, here are {tree.size}: "
                    "the log was rolled back or cut")


# Folders of tiles (C2SP tlog-tiles).
def tile_path(kind, number, width):
    groups = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03}")
    return "/".join(["tile", kind, *groups]) + (f".p/{width}" if width < 256 else "")


def read(*path):
    try:
        with open(os.path.join(*path), "rb") as file:
            return file.read()
    except OSError as error:
        raise Wrong(f"{os.path.join(*path)} cannot be read: {error.strerror}") from None


def read_note(*path):
    try:
        return checkpoint(read(*path).decode())
    except UnicodeDecodeError:
        raise Wrong(f"{os.path.join(*path)} is not a checkpoint") from None


def entries_of(folder, size):
    for number in range((size + 255) // 256):
        width = min(256, size - 256 * number)
        data, count = read(folder, tile_path("entries", number, width)), 0
        while data:
            length = int.from_bytes(data[:2], "big")
            if len(data) < 2 + length:
                raise Wrong(f"tile {number} of entries is cut off")
            yield data[2:2 + length]
            data, count = data[2 + length:], count + 1
        if count != width:
            raise Wrong(f"tile {number} of entries has {count} entries instead of {width}")


def check_tiles(folder, hashes):
    """Tiles of hashes against those recomputed, level by level."""
    level = 0
    while hashes:
        for number in range((len(hashes) + 255) // 256):
            part = hashes[256 * number:256 * number + 256]
            if read(folder, tile_path(str(level), number, len(part))) != b"".join(part):
                raise Wrong(f"tile {number} of level {level} is not that of the entries")
        for _ in range(8):
            pairs = zip(hashes[0::2], hashes[1::2])
            hashes = [node_hash(left, right) for left, right in pairs]
        level += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    arguments = {"log": ["folder"], "lines": ["file"], "proof": ["file"],
                 "grown": ["old", "new", "proof"]}
    for name, files in arguments.items():
        command = commands.add_parser(name)
        for file in files:
            command.add_argument(file)
        command.add_argument("--vkey", action="append", required=True)
        command.add_argument("--witness", action="append", default=[])
        if name in ("log", "lines"):
            command.add_argument("--older", action="append", default=[])
        if name == "lines":
            command.add_argument("--checkpoint", required=True)
    options = parser.parse_args()
    keys = Keys([verifier_key(key) for key in options.vkey])
    witnesses = [verifier_key(key) for key in options.witness]

    if options.command in ("log", "lines"):
        if options.command == "log":
            note = read_note(options.folder, "checkpoint")
            entries = entries_of(options.folder, note["size"])
        else:
            note = read_note(options.checkpoint)
            entries = []
            for number, line in enumerate(read(options.file).split(b"\n")[:-1]):
                begin, end = b'{"entry":', b',"index":%d,"leaf":"' % number
                entry, found, leaf = line[len(begin):].rpartition(end)
                if not line.startswith(begin) or not found:
                    raise Wrong(f"line {number + 1} is not that of entry {number}")
                if leaf != base64.b64encode(leaf_hash(entry)) + b'"}':
                    raise Wrong(f"entry {number} was changed: its leaf's hash is another")
                entries.append(entry)
        notes = [read_note(file) for file in options.older] + [note]
        notes.sort(key=lambda other: other["size"])
        leaves = [leaf_hash(data) for _, data in check_entries(entries, notes, keys)]
        if len(leaves) > note["size"]:
            raise Wrong(f"entries from {note['size']} on are not covered by the checkpoint")
        if options.command == "log":
            check_tiles(options.folder, leaves)
        check_witnesses(note, witnesses)
        print(f"intact: {note['size']} entries of {note['origin']}")
    elif options.command == "proof":
        text = read(options.file).decode(errors="replace")
        head, _, rest = text.partition("\n\n")
        lines = head.split("\n")
        if (len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1"
                or not lines[1].startswith("extra ") or not lines[2].startswith("index ")
                or not lines[2][6:].isdigit()):
            raise Wrong("this is not a proof of an entry")
        note, entry, index = checkpoint(rest), decode(lines[1][6:]), int(lines[2][6:])
        keys.check(note)
        proof = [hash_of(line) for line in lines[3:]]
        if root_of_inclusion(leaf_hash(entry), index, note["size"], proof) != note["root"]:
            raise Wrong("the entry is not in this log: the proof leads to another root")
        check_entry(index, entry)
        check_witnesses(note, witnesses)
        print(f"proven: entry {index} of {note['origin']}")
        print(entry.decode())
    else:
        old, new = read_note(options.old), read_note(options.new)
        keys.check(old)
        keys.check(new)
        proof = [hash_of(line) for line in read(options.proof).decode().split()]
        check_consistency(old, new, proof)
        check_witnesses(new, witnesses)
        print(f"grown: {old['size']} to {new['size']} entries of {new['origin']}")


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit(f"not intact: {wrong}")
