"""The calculator: exact decimal arithmetic on a written expression.

What does not live here: anything that could run code. The text is cut into tokens, parsed by Python's `ast`,
and walked by an evaluator that knows numbers, nine functions and seven operators; nothing else has a meaning.
"""

from __future__ import annotations

import ast
import decimal
import operator
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from motet.errors import InvalidInput, did_you_mean
from motet.tools.wrap import as_tool, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.tools import BaseTool

    from motet.tools.base import ToolContext

MAX_CHARS = 500
"""Longest expression."""
MAX_EXPONENT = 100
"""Results lie between 10^-100 and 10^100; integers in between are exact."""

_EXAMPLES = "Write one expression, like (1200 + 300) * 15% or round(10 / 3, 2)."


class Arguments(BaseModel):
    """What the calculator is given."""

    expression: str = Field(
        description="One expression with numbers, e.g. (1200 - 300) * 15% or round(10 / 3, 2)",
        min_length=1,
        max_length=MAX_CHARS,
    )


def build(context: ToolContext) -> BaseTool:  # noqa: ARG001  # every tool is built the same way
    """Build the tool; it needs no settings."""
    return as_tool(
        _calculate,
        name="calculator",
        description="Calculate exactly. Use it for every calculation. Knows + - * / // % ** ( ), "
        "15% (which is 0.15), round, min, max, sum, mean, abs, sqrt, floor, ceil, pi.",
        arguments=Arguments,
        access="read",
        extra={"trust": "trusted"},
    )


async def _calculate(expression: str) -> str:
    return f"{' '.join(_trim(expression).split())} = {calculate(expression)}"


def calculate(expression: str) -> str:
    """Evaluate an expression and return the result as text.

    Args:
        expression: Up to 500 characters. Thousands separators (`1,200`), `×`, `÷`, full-width digits, `15%`,
            `15% of 200` and `3.5万` are understood. In a function's arguments a comma separates.

    Returns:
        The exact value in plain digits; one that has no end is rounded to 10 decimals (10 significant digits
        below 1). Halves round away from zero: `round(2.5)` is 3.

    Raises:
        InvalidInput: It is no expression, divides by zero, or is too large; the message says what to write.
    """
    try:
        with decimal.localcontext(_arithmetic()) as context:
            tokens = _tokens(expression)
            source, numbers = _python(tokens)
            value = _Evaluator(numbers).visit(ast.parse(source, mode="eval").body)
            if not isinstance(value, Decimal):
                raise InvalidInput("the result is a list, not a number")  # named below
            return _show(value, exact=not context.flags[decimal.Inexact])
    except decimal.DivisionByZero:
        reason = "division by zero"
    except (decimal.Overflow, decimal.Underflow):
        reason = f"the result is beyond 10^{MAX_EXPONENT}, or nearer to zero than 10^-{MAX_EXPONENT}"
    except decimal.InvalidOperation:
        reason = "an operation has no real result (as 0 / 0, sqrt(-1)), or one beyond the range"
    except (SyntaxError, RecursionError, MemoryError):
        reason = f"this is not an expression. {_EXAMPLES}"
    except InvalidInput as error:
        reason = error.message
    raise InvalidInput(f"Cannot calculate '{cut(expression, 120)}': {reason.removesuffix('.')}.")


def _arithmetic() -> decimal.Context:
    return decimal.Context(
        prec=MAX_EXPONENT + 10,
        rounding=decimal.ROUND_HALF_EVEN,
        Emin=-MAX_EXPONENT,
        Emax=MAX_EXPONENT,
        traps=[decimal.DivisionByZero, decimal.Overflow, decimal.Underflow, decimal.InvalidOperation],
    )


_FOLD = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    0x3000: " ",
    **dict.fromkeys(map(ord, "$€£¥￥元")),
    **str.maketrans({"×": "*", "✕": "*", "⋅": "*", "÷": "/", "−": "-", "–": "-"}),
    **str.maketrans({"²": "**2", "³": "**3", "π": "pi"}),
}
"""Full-width forms to ASCII, other spellings of the operators; currency signs fall away.

Not NFKC, which would read `3²` as 32 and `3½` as 31⁄2."""

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>(?:[0-9]{1,3}(?:,[0-9]{3})+(?!,?[0-9])|[0-9][0-9_]*|(?=\.[0-9]))(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)
    |(?P<unit>[百千万萬亿億])
    |(?P<name>[A-Za-z]+)
    |(?P<operator>\*\*|//|[-+*/%^(),\[\]])""",
    re.VERBOSE,
)
_HEXADECIMAL = re.compile(r"(?<![\w.,])0[xX][0-9A-Fa-f]+")
_WORDS = {"x": "*", "X": "*", "of": "*", "mod": "%", "^": "**"}
_UNITS = {"百": 2, "千": 3, "万": 4, "萬": 4, "亿": 8, "億": 8}


def _tokens(expression: str) -> list[tuple[str, str]]:
    """Cut the text into `(kind, text)`; a space stays, since it tells `10 % -3` from `10% - 3`."""
    text = _trim(expression).translate(_FOLD)
    if hexadecimal := _HEXADECIMAL.search(text):
        word = hexadecimal.group()
        raise InvalidInput(
            f"'{word}' could be a number or a product. Write {int(word, 16)}, or 0 * {word[2:]}"
        )
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise InvalidInput(f"'{text[position]}' has no meaning here. {_EXAMPLES}")
        word = match.group()
        found.append(("operator", _WORDS[word]) if word in _WORDS else (match.lastgroup, word))
        position = match.end()
    return found


def _trim(expression: str) -> str:
    """Take off the `= ?` that people put behind a sum."""
    return expression.rstrip("=＝?？ \t\n")


def _python(tokens: Sequence[tuple[str, str]]) -> tuple[str, list[Decimal]]:
    """Spell tokens as a Python expression in which number `i` is the name `n<i>`.

    A percent sign and a Chinese unit become attributes, which bind as tightly as they are meant to.
    """
    source: list[str] = []
    numbers: list[Decimal] = []
    calls: list[bool] = []  # for each open bracket: do commas separate arguments in it?
    for index, (kind, text) in enumerate(tokens):
        if kind == "number":
            if "," in text and any(calls[-1:]):
                plain = text.replace(",", "")
                raise InvalidInput(
                    f"inside a function '{text}' could be one number or several. "
                    f"Write {plain}, or {text.replace(',', ', ')}"
                )
            source.append(f" n{len(numbers)} ")
            numbers.append(decimal.getcontext().create_decimal(text.replace(",", "").replace("_", "")))
        elif kind == "unit":
            source.append(f".e{_UNITS[text]}")
        elif text == "%" and _is_percent(tokens, index):
            source.append(".percent")
        else:
            source.append(" " if kind == "space" else text)
            if text in ("(", "["):
                calls.append(text == "[" or (index > 0 and tokens[index - 1][0] == "name"))
            elif text in (")", "]") and calls:
                calls.pop()
    return "".join(source).strip(), numbers


def _is_percent(tokens: Sequence[tuple[str, str]], index: int) -> bool:
    """Tell `15%` from the remainder of a division by what follows the sign."""
    following = [token for token in tokens[index + 1 :] if token[0] != "space"]
    if not following:
        return True
    kind, text = following[0]
    if text in ("+", "-") and tokens[index - 1][0] == "space":
        raise InvalidInput("write 10% - 3 for per cent, and 10 % (-3) for the remainder of a division")
    return kind == "operator" and text not in ("(", "[")


class _Evaluator(ast.NodeVisitor):
    """Walks a parsed expression; a node without a method here has no meaning."""

    def __init__(self, numbers: Sequence[Decimal]) -> None:
        self._numbers = numbers

    def visit(self, node: ast.AST) -> Decimal | list[Decimal]:
        """Return the node's value: a number, or a list of them."""
        return super().visit(node)

    def number(self, node: ast.AST) -> Decimal:
        value = self.visit(node)
        if isinstance(value, list):
            raise InvalidInput(f"a list belongs inside sum, mean, min or max. {_EXAMPLES}")
        return value

    def generic_visit(self, node: ast.AST) -> Decimal:
        raise InvalidInput(f"'{type(node).__name__.lower()}' is no arithmetic. {_EXAMPLES}")

    def visit_Name(self, node: ast.Name) -> Decimal:
        if re.fullmatch(r"n[0-9]+", node.id):
            return self._numbers[int(node.id[1:])]
        name = node.id.lower()
        if name == "pi":
            decimal.getcontext().flags[decimal.Inexact] = True
            return _PI
        if name in _FUNCTIONS:
            raise InvalidInput(
                f"the function {node.id.lower()} needs its arguments in brackets: {node.id.lower()}(1, 2)"
            )
        raise InvalidInput(f"'{node.id}' is unknown.{did_you_mean(node.id.lower(), (*_FUNCTIONS, 'pi'))}")

    def visit_Attribute(self, node: ast.Attribute) -> Decimal:
        value = self.number(node.value)
        exponent = -2 if node.attr == "percent" else int(node.attr.removeprefix("e"))
        return value * Decimal(1).scaleb(exponent)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Decimal:
        value = self.number(node.operand)
        if isinstance(node.op, ast.USub):
            return -value
        return value if isinstance(node.op, ast.UAdd) else self.generic_visit(node.op)

    def visit_BinOp(self, node: ast.BinOp) -> Decimal:
        operation = _OPERATORS.get(type(node.op))
        if operation is None:
            return self.generic_visit(node.op)
        return operation(self.number(node.left), self.number(node.right))

    def visit_List(self, node: ast.List) -> list[Decimal]:
        return [self.number(item) for item in node.elts]

    def visit_Tuple(self, node: ast.Tuple) -> list[Decimal]:
        raise InvalidInput(f"there are {len(node.elts)} expressions. {_EXAMPLES} Thousands: 1200 or 1,200")

    def visit_Call(self, node: ast.Call) -> Decimal:
        if not isinstance(node.func, ast.Name) or re.fullmatch(r"n[0-9]+", node.func.id):
            raise InvalidInput("a sign is missing before '('. Write 3 * (4 + 5)")
        name = node.func.id.lower()
        if name not in _FUNCTIONS:
            raise InvalidInput(f"the function '{name}' is unknown.{did_you_mean(name, _FUNCTIONS)}")
        values: list[Decimal] = []
        for argument in node.args:
            value = self.visit(argument)
            values.extend(value if isinstance(value, list) else [value])
        fewest, most, function = _FUNCTIONS[name]
        if not fewest <= len(values) <= most:
            takes = (
                "one number"
                if most == 1
                else "a number and how many digits"
                if name == "round"
                else "numbers"
            )
            raise InvalidInput(f"{name} takes {takes}, not {len(values)}")
        return function(values)


def _floor_divide(left: Decimal, right: Decimal) -> Decimal:
    """Round the quotient down, as mathematics and Python do; Decimal's own `//` cuts towards zero."""
    quotient = left // right
    rest = left - quotient * right
    return quotient - 1 if rest and (rest < 0) != (right < 0) else quotient


def _round(values: Sequence[Decimal]) -> Decimal:
    digits = values[1] if len(values) == 2 else Decimal(0)
    if digits != int(digits) or abs(digits) > 50:
        raise InvalidInput("round takes a number and how many digits: round(3.14159, 2)")
    value = values[0]
    if value.adjusted() + digits > MAX_EXPONENT:
        return value
    return value.quantize(Decimal(1).scaleb(-int(digits)), rounding=decimal.ROUND_HALF_UP)


def _whole(rounding: str) -> Callable[[Sequence[Decimal]], Decimal]:
    return lambda values: values[0].to_integral_value(rounding=rounding)


def _sum(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0))


_PI = Decimal("3.14159265358979323846264338327950288419716939937511")
_FUNCTIONS: dict[str, tuple[int, int, Callable[[Sequence[Decimal]], Decimal]]] = {
    "abs": (1, 1, lambda values: abs(values[0])),
    "ceil": (1, 1, _whole(decimal.ROUND_CEILING)),
    "floor": (1, 1, _whole(decimal.ROUND_FLOOR)),
    "max": (1, MAX_CHARS, max),
    "mean": (1, MAX_CHARS, lambda values: _sum(values) / len(values)),
    "min": (1, MAX_CHARS, min),
    "round": (1, 2, _round),
    "sqrt": (1, 1, lambda values: values[0].sqrt()),
    "sum": (0, MAX_CHARS, _sum),
}
"""Fewest arguments, most arguments, what is done with them."""

_OPERATORS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: _floor_divide,
    ast.Mod: lambda left, right: left - right * _floor_divide(left, right),
    ast.Pow: operator.pow,
}


def _show(value: Decimal, *, exact: bool) -> str:
    """Spell a value in plain digits, rounded where it is not exact or has more digits than anyone reads."""
    if value and not (exact and (len(value.as_tuple().digits) <= 30 or value == value.to_integral_value())):
        places = 10 if value.adjusted() >= 0 else 9 - value.adjusted()
        value = value.quantize(Decimal(1).scaleb(-min(places, MAX_EXPONENT)), rounding=decimal.ROUND_HALF_UP)
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
