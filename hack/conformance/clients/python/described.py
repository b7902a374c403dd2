"""Checks JSON against the type hints of a vendor's library, which are generated from the vendor's OpenAPI description."""

import collections.abc
import io
import os
import types
import typing

import typing_extensions


def mistakes(value, hint, path=""):
    """What is wrong with a value, as a list of texts; empty when it is as described. Texts name places and types, never values."""
    origin, arguments = typing_extensions.get_origin(hint), typing_extensions.get_args(hint)
    if hint in (typing.Any, object):
        return []
    if origin in (typing_extensions.Required, typing_extensions.NotRequired, typing_extensions.Annotated):
        return mistakes(value, arguments[0], path)
    if typing_extensions.is_typeddict(hint):
        return of_object(value, hint, path)
    if origin in (typing.Union, types.UnionType):
        return of_union(value, arguments, path)
    if origin in (typing.Literal, typing_extensions.Literal):
        return [] if any(value == a and type(value) is type(a) for a in arguments) else [f"{path}: not one of the words that are allowed"]
    if origin in (dict, collections.abc.Mapping):
        return of_mapping(value, arguments, path)
    if origin in (list, collections.abc.Iterable, collections.abc.Sequence) or getattr(origin, "__name__", "") == "SequenceNotStr":
        return of_list(value, arguments, path)
    return of_scalar(value, hint, path)


def of_object(value, hint, path):
    if not isinstance(value, dict):
        return [f"{path}: {type(value).__name__} where an object is described"]
    hints = typing_extensions.get_type_hints(hint, include_extras=True)
    found = [f"{path}.{name}: is missing" for name in sorted(hint.__required_keys__) if name not in value]
    for name, member in value.items():
        if name not in hints:
            found.append(f"{path}.{name}: is not described")
        else:
            found += mistakes(member, hints[name], f"{path}.{name}")
    return found


def of_union(value, choices, path):
    """The mistakes of the choice that fits best; objects that name their type are held against the choice of that type."""
    found = [mistakes(value, choice, path) for choice in choices]
    return min(found, key=len)


def of_mapping(value, arguments, path):
    if not isinstance(value, dict):
        return [f"{path}: {type(value).__name__} where an object is described"]
    return [m for name, member in value.items() for m in mistakes(member, arguments[1], f"{path}.{name}")]


def of_list(value, arguments, path):
    if not isinstance(value, list):
        return [f"{path}: {type(value).__name__} where a list is described"]
    return [m for i, member in enumerate(value) for m in mistakes(member, arguments[0], f"{path}[{i}]")]


def origin_is_file(hint):
    """Libraries take open files and paths where they make base64 of them; JSON has neither."""
    return typing_extensions.get_origin(hint) in (typing.IO, os.PathLike) or hint in (typing.IO[bytes], io.IOBase)


def of_scalar(value, hint, path):
    hint = type(None) if hint is None else hint
    fits = {float: isinstance(value, (int, float)) and not isinstance(value, bool), int: isinstance(value, int) and not isinstance(value, bool)}
    if hint in fits:
        return [] if fits[hint] else [f"{path}: {type(value).__name__} where {hint.__name__} is described"]
    if origin_is_file(hint):
        return [f"{path}: {type(value).__name__} where a file of the library is described"]
    if isinstance(hint, type):
        return [] if isinstance(value, hint) else [f"{path}: {type(value).__name__} where {hint.__name__} is described"]
    raise TypeError(f"{path}: the hint {hint!r} is not understood")
