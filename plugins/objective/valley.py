"""The long valley on which SGD zig-zags."""

from dlexp import Surface, non_negative, plugin


@plugin("valley")
class Valley(Surface):
    """f(x, y) = x²/20 + y²: steep in y, flat in x; −∇f does not point at the minimum (0, 0)

    Source: Saito (2016), "Deep Learning from Scratch", section 6.1.3
    """

    start: tuple[float, float] = (-7.0, 2.0)
    spread: float = non_negative(0.0)
    window = ((-10, 10), (-5, 5))
    minimum = (0.0, 0.0)

    def f(self, x, y):
        return x**2 / 20 + y**2

    def gradient(self, x, y):
        return x / 10, 2 * y
