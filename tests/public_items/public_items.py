"""Public items of a crate, from the JSON of rustdoc: `public_items.py text JSON`, or `public_items.py examples JSON FILE...`.

`text` prints one line for each public item, sorted: what a user can name, with its type or signature, and the traits that a type
implements. Blanket and auto implementations are left out.

`examples` prints each function, type and macro with the place of an example: `own` if its documentation has one, else the item whose
example uses its name, or the example program that does, or `-`. The FILEs are example programs. It fails if a trait, a macro or a
function outside of a type has none: nothing else shows how these are called. Methods and types may be left to the example of another
item.
"""

import json
import re
import sys

from render import bounds, function, parameters, path, type_, where

# Implementations that each type is expected to have, and that one line together says.
DERIVED = {"Clone", "Copy", "Debug", "Default", "Eq", "Hash", "Ord", "PartialEq", "PartialOrd"}


class Crate:
    """Public items of one crate: path, kind, text and documentation of each."""

    def __init__(self, file):
        with open(file, encoding="utf-8") as source:
            document = json.load(source)
        self.index = document["index"]
        # Path and crate of each item that is mentioned, those of other crates included.
        self.paths = document["paths"]
        self.items = {}
        self.texts = set()
        root = self.index[str(document["root"])]
        self.module(root, root["name"], set())
        self.foreign_implementations(root["crate_id"])

    def get(self, identifier):
        return self.index.get(str(identifier))

    def add(self, kind, name, text, item):
        self.items.setdefault(name, (kind, item.get("docs") or ""))
        self.texts.add(text)

    def module(self, item, name, seen):
        """A module, with what it makes public again under its own path."""
        if item["id"] in seen:
            return
        for identifier in item["inner"]["module"]["items"]:
            child = self.get(identifier)
            if child is None or not is_public(child):
                continue
            alias = child["name"]
            if "use" in child["inner"]:
                use = child["inner"]["use"]
                child = self.get(use["id"])
                alias = use["name"]
                if child is None:
                    # An item of another crate, by the name that it has here.
                    self.texts.add(f"pub use {name}::{alias} = {use['source']}")
                    continue
                if use["is_glob"]:
                    self.module(child, name, seen | {item["id"]})
                    continue
            self.item(child, f"{name}::{alias}", seen | {item["id"]})

    def item(self, item, name, seen):
        (kind, inner), = item["inner"].items() if isinstance(item["inner"], dict) else [(item["inner"], None)]
        match kind:
            case "module":
                self.texts.add(f"pub mod {name}")
                self.module(item, name, seen)
            case "struct":
                self.struct(item, name, inner)
            case "enum":
                self.add(kind, name, f"pub enum {name}{parameters(inner['generics'])}{where(inner['generics'])}", item)
                for identifier in inner["variants"]:
                    self.variant(self.get(identifier), name)
                self.implementations(inner["impls"], item["name"], name)
            case "trait":
                generics = inner["generics"]
                above = f": {bounds(inner['bounds'])}" if inner["bounds"] else ""
                self.add(kind, name, f"pub trait {name}{parameters(generics)}{above}{where(generics)}", item)
                self.members(inner["items"], name, "trait")
            case "function":
                self.add(kind, name, "pub " + function(name, inner), item)
            case "type_alias":
                self.add(kind, name, f"pub type {name}{parameters(inner['generics'])} = {type_(inner['type'])}", item)
            case "constant" | "static":
                self.texts.add(f"pub {kind.replace('constant', 'const')} {name}: {type_(inner['type'])}")
            case "macro":
                self.add(kind, name, f"pub macro {name}!", item)
            case _:
                raise ValueError(f"unknown kind of item: {kind}")

    def struct(self, item, name, inner):
        generics = parameters(inner["generics"]) + where(inner["generics"])
        fields = inner["kind"]
        tuple_ = ""
        if isinstance(fields, dict) and "tuple" in fields:
            tuple_ = "(" + ", ".join(self.tuple_field(each) for each in fields["tuple"]) + ")"
        self.add("struct", name, f"pub struct {name}{generics}{tuple_}", item)
        if isinstance(fields, dict) and "plain" in fields:
            self.fields(fields["plain"]["fields"], name, "pub ")
        self.implementations(inner["impls"], item["name"], name)

    def tuple_field(self, identifier):
        field = self.get(identifier) if identifier is not None else None
        return "pub " + type_(field["inner"]["struct_field"]) if field and is_public(field) else "_"

    def fields(self, identifiers, name, prefix):
        for field in filter(None, map(self.get, identifiers)):
            self.texts.add(f"{prefix}{name}.{field['name']}: {type_(field['inner']['struct_field'])}")

    def variant(self, item, name):
        name = f"{name}::{item['name']}"
        kind = item["inner"]["variant"]["kind"]
        content = ""
        if isinstance(kind, dict) and "tuple" in kind:
            fields = [self.get(each) if each is not None else None for each in kind["tuple"]]
            content = "(" + ", ".join(type_(each["inner"]["struct_field"]) if each else "_" for each in fields) + ")"
        elif isinstance(kind, dict):
            self.fields(kind["struct"]["fields"], name, "pub ")
        self.texts.add(f"pub variant {name}{content}")

    def implementations(self, identifiers, own_name, name):
        """Methods and traits of a type, which may be public by another name than its own."""
        derived = []
        for implementation in filter(None, map(self.get, identifiers)):
            inner = implementation["inner"]["impl"]
            if inner["is_synthetic"] or inner["blanket_impl"]:
                continue
            if inner["trait"] is None:
                self.members(inner["items"], name, "method")
                continue
            trait = path(inner["trait"])
            if trait in DERIVED:
                derived.append(trait)
            elif trait != "StructuralPartialEq":
                self.implementation(inner, re.sub(rf"\b{own_name}\b", name, type_(inner["for"]), count=1))
        if derived:
            self.texts.add(f"impl {', '.join(sorted(derived))} for {name}")

    def implementation(self, inner, name):
        generics = inner["generics"]
        self.texts.add(f"impl{parameters(generics)} {path(inner['trait'])} for {name}{where(generics)}")

    def foreign_implementations(self, own):
        """Traits that this crate implements for types of other crates, for example `From<DecodeError> for Error`."""
        for item in self.index.values():
            inner = item["inner"].get("impl") if isinstance(item["inner"], dict) else None
            if not inner or inner["trait"] is None or inner["is_synthetic"] or inner["blanket_impl"]:
                continue
            target = inner["for"]
            known = self.paths.get(str(target["resolved_path"]["id"])) if "resolved_path" in target else None
            is_foreign = "primitive" in target or (known is not None and known["crate_id"] != own)
            if is_foreign and item["crate_id"] == own:
                self.implementation(inner, type_(target))

    def members(self, identifiers, name, kind):
        for item in filter(None, map(self.get, identifiers)):
            (form, inner), = item["inner"].items()
            if kind == "method" and not is_public(item):
                continue
            path_ = f"{name}::{item['name']}"
            if form == "function":
                provided = " { .. }" if kind == "trait" and inner["has_body"] else ""
                self.add("method", path_, f"pub {function(path_, inner)}{provided}", item)
            elif form == "assoc_const":
                self.texts.add(f"pub const {path_}: {type_(inner['type'])}")
            else:
                above = f": {bounds(inner['bounds'])}" if inner["bounds"] else ""
                self.texts.add(f"pub type {path_}{above}")


def is_public(item):
    return item["visibility"] in ("public", "default")


def code_blocks(docs):
    """Rust code of the documentation; blocks of text, and those that aren't compiled, are no examples."""
    return "\n".join(
        code
        for words, code in re.findall(r"^\s*```([^\n]*)\n(.*?)^\s*```", docs, re.M | re.S)
        if not re.search(r"text|ignore|json|toml|sh|console", words)
    )


def print_examples(crate, files):
    """Prints a line for each item, and totals on stderr; returns the exit status."""
    blocks = {name: code_blocks(docs) for name, (_, docs) in crate.items.items()}
    programs = {}
    for file in files:
        with open(file, encoding="utf-8") as source:
            text = source.read()
        programs[file] = code_blocks(re.sub(r"^\s*//[/!] ?", "", text, flags=re.M)) if file.endswith("lib.rs") else text
    used = {}
    for place, code in (blocks | programs).items():
        for word in set(re.findall(r"\w+", code)):
            used.setdefault(word, place)

    counts = {}
    missing = 0
    for name, (kind, _) in sorted(crate.items.items()):
        place = "own" if blocks[name] else used.get(name.split("::")[-1], "-")
        print(f"{kind}\t{name}\t{place}")
        total, own, elsewhere = counts.get(kind, (0, 0, 0))
        counts[kind] = (total + 1, own + (place == "own"), elsewhere + (place not in ("own", "-")))
        missing += place == "-" and kind in ("function", "macro", "trait")
    for kind, (total, own, elsewhere) in sorted(counts.items()):
        rest = total - own - elsewhere
        print(f"{kind}: {total}, of which {own} with an example, {elsewhere} used in another one, {rest} without", file=sys.stderr)
    return min(missing, 1)


def main():
    action, file, *rest = sys.argv[1:]
    crate = Crate(file)
    if action == "text":
        print("\n".join(sorted(crate.texts)))
        return 0
    return print_examples(crate, rest)


if __name__ == "__main__":
    sys.exit(main())
