"""Rosenbrock's banana-shaped valley."""

from dlexp import Surface, non_negative, plugin


@plugin("rosenbrock")
class Rosenbrock(Surface):
    """f(x, y) = (1 − x)² + 100(y − x²)²: a curved valley with a flat floor; minimum 0 at (1, 1)

    Source: Rosenbrock (1960), https://doi.org/10.1093/comjnl/3.3.175
    """

    start: tuple[float, float] = (-1.2, 1.0)
    spread: float = non_negative(0.0)
    window = ((-2, 2), (-1, 3))
    minimum = (1.0, 1.0)

    def f(self, x, y):
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2

    def gradient(self, x, y):
        return -2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)
