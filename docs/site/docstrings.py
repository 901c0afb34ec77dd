"""Docstrings as the site shows them: roles become links, formulas become MathML, which browsers draw by themselves."""

import re
from collections.abc import Iterator
from typing import Any

import griffe
from latex2mathml.converter import convert

_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`(?P<short>~?)(?P<name>[\w.]+)`")
_INLINE = re.compile(r":math:`(?P<formula>[^`]+)`")
_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. math::(?P<first>[^\n]*)\n(?P<rest>(?:(?P=indent) +[^\n]+\n|\n(?=(?P=indent) +\S))*)",
    re.MULTILINE,
)
_EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)
_LITERAL = re.compile(r"::$", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Rewrites the docstring of every object of the library."""

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **kwargs: Any) -> None:
        for obj in walk(pkg):
            if obj.docstring is not None:
                obj.docstring.value = rewrite(obj.docstring.value, obj)


def walk(obj: griffe.Object) -> Iterator[griffe.Object]:
    """Yield an object and all that it defines itself."""
    yield obj
    for member in obj.members.values():
        if isinstance(member, griffe.Object):
            yield from walk(member)


def rewrite(text: str, obj: griffe.Object) -> str:
    """Return a docstring of ``obj`` in Markdown, with the sections that the Google style knows."""

    def link(found: re.Match[str]) -> str:
        name = found["name"]
        shown = name.rpartition(".")[2] if found["short"] else name
        return f'<autoref identifier="{definition(obj, name)}" optional><code>{shown}</code></autoref>'

    def formula(found: re.Match[str]) -> str:
        drawn = convert(f"{found['first']} {found['rest']}".strip(), display="block").replace("\n", " ")
        return f"{found['indent']}<div>{drawn}</div>\n"

    text = _BLOCK.sub(formula, text)
    # At the start of a line Markdown takes anything but a span for a block of its own.
    text = _INLINE.sub(lambda found: f"<span>{convert(found['formula'])}</span>", text)
    text = _LITERAL.sub(":", _EXAMPLE.sub(r"\1Examples:", text))
    return _ROLE.sub(link, text)


def definition(obj: griffe.Object, name: str) -> str:
    """Return the full path under which a name in an object's scope is defined, or the name as it is."""
    try:
        path = obj.resolve(name)
    except griffe.NameResolutionError:
        path = name
    try:
        return obj.modules_collection[path].canonical_path
    except (KeyError, griffe.AliasResolutionError):
        return path
