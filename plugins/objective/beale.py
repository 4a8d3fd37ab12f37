"""Beale's function: flat, with sharp peaks at the corners."""

from dlexp import Surface, non_negative, plugin


@plugin("beale")
class Beale(Surface):
    """f(x, y) = (1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²; minimum 0 at (3, 0.5)

    Source: Beale (1958), "On an iterative method for finding a local minimum of a function of more
    than one variable", Princeton University, Statistical Techniques Research Group, technical
    report 25
    """

    start: tuple[float, float] = (1.0, 1.0)
    spread: float = non_negative(0.0)
    window = ((-4.5, 4.5), (-4.5, 4.5))
    minimum = (3.0, 0.5)

    def f(self, x, y):
        return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2

    def gradient(self, x, y):
        a, b, c = 1.5 - x + x * y, 2.25 - x + x * y**2, 2.625 - x + x * y**3
        dx = 2 * a * (y - 1) + 2 * b * (y**2 - 1) + 2 * c * (y**3 - 1)
        dy = 2 * a * x + 4 * b * x * y + 6 * c * x * y**2
        return dx, dy
