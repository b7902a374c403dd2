"""Tests of described."""

import typing
import unittest

import typing_extensions

import described


class Text(typing_extensions.TypedDict, total=False):
    type: typing_extensions.Required[typing.Literal["text"]]
    text: typing_extensions.Required[str]


class Picture(typing_extensions.TypedDict, total=False):
    type: typing_extensions.Required[typing.Literal["picture"]]
    size: typing.Optional[int]
    file: typing.Union[str, typing.IO[bytes]]


class Request(typing_extensions.TypedDict, total=False):
    parts: typing_extensions.Required[typing.Iterable[typing.Union[Text, Picture]]]
    temperature: typing.Optional[float]
    labels: typing.Dict[str, str]
    schema: typing.Dict[str, object]
    strict: bool


class Mistakes(unittest.TestCase):
    """Each value with the mistakes that have to be found."""

    def test_mistakes(self):
        text = {"type": "text", "text": "a"}
        for value, want in [
            ({"parts": []}, []),
            ({"parts": [text, {"type": "picture", "size": None, "file": "a"}], "temperature": 1, "labels": {"a": "b"}, "schema": {"a": [1]}}, []),
            ({}, [".parts: is missing"]),
            ([], [": list where an object is described"]),
            ({"parts": text}, [".parts: dict where a list is described"]),
            ({"parts": [{"type": "text"}]}, [".parts[0].text: is missing"]),
            ({"parts": [{"type": "text", "text": 7}]}, [".parts[0].text: int where str is described"]),
            ({"parts": [], "temperature": True}, [".temperature: bool where float is described"]),
            ({"parts": [], "temperature": "1"}, [".temperature: str where float is described"]),
            ({"parts": [], "labels": {"a": 1}}, [".labels.a: int where str is described"]),
            ({"parts": [], "strict": None}, [".strict: NoneType where bool is described"]),
            ({"parts": [], "strikt": True}, [".strikt: is not described"]),
        ]:
            with self.subTest(value=value):
                self.assertEqual(described.mistakes(value, Request), want)

    def test_other_hints_are_not_passed_over(self):
        with self.assertRaises(TypeError):
            described.mistakes(1, typing.Callable[[], int])


if __name__ == "__main__":
    unittest.main()
