"""Rust text of types, generics and signatures from rustdoc's JSON."""


def path(value):
    """A path with its arguments, without the modules before its name: `Vec<u8>`."""
    return value["path"].split("::")[-1] + arguments(value.get("args"))


def arguments(value):
    """Arguments of a path: `<'a, T, Item = u8>`, or `(u8) -> u8` of `Fn`."""
    if not value or value == "return_type_notation":
        return ""
    if "parenthesized" in value:
        inner = value["parenthesized"]
        inputs = ", ".join(type_(each) for each in inner["inputs"])
        return f"({inputs})" + returns(inner["output"])
    inner = value["angle_bracketed"]
    parts = [argument(each) for each in inner["args"]] + [constraint(each) for each in inner["constraints"]]
    return f"<{', '.join(parts)}>" if parts else ""


def argument(value):
    if value == "infer":
        return "_"
    if "lifetime" in value:
        return value["lifetime"]
    if "type" in value:
        return type_(value["type"])
    return value["const"]["expr"]


def constraint(value):
    name = value["name"] + arguments(value.get("args"))
    binding = value["binding"]
    if "constraint" in binding:
        return f"{name}: {bounds(binding['constraint'])}"
    equality = binding["equality"]
    return f"{name} = " + (type_(equality["type"]) if "type" in equality else equality["constant"]["expr"])


def returns(value):
    return f" -> {type_(value)}" if value else ""


def type_(value):
    """A type as source text."""
    (kind, inner), = value.items() if isinstance(value, dict) else [(value, None)]
    match kind:
        case "resolved_path":
            return path(inner)
        case "primitive" | "generic":
            return inner
        case "tuple":
            return "(" + ", ".join(map(type_, inner)) + ("," if len(inner) == 1 else "") + ")"
        case "slice":
            return f"[{type_(inner)}]"
        case "array":
            return f"[{type_(inner['type'])}; {inner['len']}]"
        case "borrowed_ref":
            lifetime = f"{inner['lifetime']} " if inner["lifetime"] else ""
            return f"&{lifetime}{'mut ' if inner['is_mutable'] else ''}{type_(inner['type'])}"
        case "raw_pointer":
            return f"*{'mut' if inner['is_mutable'] else 'const'} {type_(inner['type'])}"
        case "impl_trait":
            return f"impl {bounds(inner)}"
        case "dyn_trait":
            traits = [higher_ranked(each) + path(each["trait"]) for each in inner["traits"]]
            return "dyn " + " + ".join(traits + ([inner["lifetime"]] if inner["lifetime"] else []))
        case "qualified_path":
            name = inner["name"] + arguments(inner.get("args"))
            own = type_(inner["self_type"])
            return f"<{own} as {path(inner['trait'])}>::{name}" if inner.get("trait") else f"{own}::{name}"
        case "function_pointer":
            inputs = ", ".join(type_(each) for _, each in inner["sig"]["inputs"])
            return f"{higher_ranked(inner)}fn({inputs})" + returns(inner["sig"]["output"])
        case "infer":
            return "_"
    raise ValueError(f"unknown kind of type: {kind}")


def higher_ranked(value):
    names = [each["name"] for each in value.get("generic_params", [])]
    return f"for<{', '.join(names)}> " if names else ""


def bounds(values):
    """Bounds joined by plus signs: `?Sized + Send + 'a`."""
    texts = []
    for value in values:
        if "trait_bound" in value:
            bound = value["trait_bound"]
            maybe = "?" if bound["modifier"] == "maybe" else ""
            texts.append(higher_ranked(bound) + maybe + path(bound["trait"]))
        elif "outlives" in value:
            texts.append(value["outlives"])
        else:
            names = [each if isinstance(each, str) else next(iter(each.values())) for each in value["use"]]
            texts.append(f"use<{', '.join(names)}>")
    return " + ".join(texts)


def parameters(generics):
    """Parameters in angle brackets; those that stand for `impl Trait` arguments are left out."""
    texts = []
    for parameter in generics["params"]:
        name = parameter["name"]
        (kind, inner), = parameter["kind"].items()
        if kind == "lifetime":
            texts.append(name + (": " + " + ".join(inner["outlives"]) if inner["outlives"] else ""))
        elif kind == "const":
            texts.append(f"const {name}: {type_(inner['type'])}")
        elif not inner["is_synthetic"]:
            default = f" = {type_(inner['default'])}" if inner["default"] else ""
            texts.append(name + (f": {bounds(inner['bounds'])}" if inner["bounds"] else "") + default)
    return f"<{', '.join(texts)}>" if texts else ""


def where(generics):
    """The where clause with a space before it, or nothing."""
    texts = []
    for predicate in generics["where_predicates"]:
        (kind, inner), = predicate.items()
        if kind == "bound_predicate":
            texts.append(f"{higher_ranked(inner)}{type_(inner['type'])}: {bounds(inner['bounds'])}")
        elif kind == "lifetime_predicate":
            texts.append(f"{inner['lifetime']}: {' + '.join(inner['outlives'])}")
        else:
            texts.append(f"{type_(inner['lhs'])} = {type_(inner['rhs']['type'])}")
    return f" where {', '.join(texts)}" if texts else ""


def function(name, inner):
    """A signature: `pub const fn name<T>(&self, value: T) -> u8 where T: Clone`."""
    header = inner["header"]
    qualifiers = "".join(word + " " for word in ("const", "async", "unsafe") if header[f"is_{word}"])
    inputs = ", ".join(input_(*each) for each in inner["sig"]["inputs"])
    generics = inner["generics"]
    return f"{qualifiers}fn {name}{parameters(generics)}({inputs})" + returns(inner["sig"]["output"]) + where(generics)


def input_(name, value):
    text = type_(value)
    if name != "self":
        return f"{name}: {text}"
    return {"Self": "self", "&Self": "&self", "&mut Self": "&mut self"}.get(text, f"self: {text}")
