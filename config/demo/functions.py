"""What the demo's Python task computes."""

from __future__ import annotations

from workers.functions import task
from workers.handlers.base import HandlerContext


@task(name="demo.digits_of_pi")
def digits_of_pi(context: HandlerContext, digits: int = 500) -> dict[str, object]:
    """Compute pi to ``digits`` decimals by Machin's formula, 16 arctan(1/5) − 4 arctan(1/239), in whole numbers."""
    guard = 10
    unity = 10 ** (digits + guard)
    context.logger.info("computing %d decimals of pi", digits)
    total = 0
    for step, (factor, inverse) in enumerate([(16, 5), (-4, 239)], start=1):
        total += factor * _arctan_of_inverse(inverse, unity)
        context.progress(step, 2, f"arctan(1/{inverse}) done")
    text = str(total // 10**guard)
    print(f"pi = {text[0]}.{text[1:51]}…")  # noqa: T201 - what a task prints goes to its log
    return {"pi": f"{text[0]}.{text[1:]}", "digits": digits}


def _arctan_of_inverse(inverse: int, unity: int) -> int:
    """Return arctan(1/inverse) × unity by its Taylor series."""
    power = total = unity // inverse
    divisor, sign = 1, 1
    while power:
        power //= inverse * inverse
        divisor += 2
        sign = -sign
        total += sign * (power // divisor)
    return total


@task(name="demo.fail_on_purpose")
def fail_on_purpose() -> None:
    """Raise, so that there is a failure to look at."""
    stock = {"apples": 3}
    print(f"looking for pears in {stock}")  # noqa: T201 - what a task prints goes to its log
    print(stock["pears"])  # noqa: T201 - never reached: the look-up raises
