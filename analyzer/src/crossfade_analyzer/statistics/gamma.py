"""ln Gamma in decimal, by Stirling's series (DLMF 5.11.1) after raising the argument above 30."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from crossfade_analyzer.statistics.arithmetic import CONTEXT, PI

_WIDE = Context(prec=46, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999)
# B_2k / (2k (2k - 1)) for k = 1 .. 15; at 30 the first one left out is below 1e-37.
_COEFFICIENTS = (
    (1, 12), (-1, 360), (1, 1260), (-1, 1680), (1, 1188), (-691, 360360), (1, 156), (-3617, 122400),
    (43867, 244188), (-174611, 125400), (77683, 5796), (-236364091, 1506960), (657931, 300),
    (-3392780147, 93960), (1723168255201, 2492028),
)  # fmt: skip


def log_gamma(x: Decimal) -> Decimal:
    """ln Gamma(x) for x > 0, to 30 significant digits of its size near 30 or above."""
    if x <= 0:
        raise ValueError(f"ln Gamma needs a positive argument, not {x}")
    with localcontext(_WIDE):
        product = Decimal(1)
        while x < 30:
            product *= x
            x += 1
        series = (x - Decimal("0.5")) * x.ln() - x + (2 * PI).ln() / 2 - product.ln()
        power = x
        for numerator, denominator in _COEFFICIENTS:
            series += Decimal(numerator) / (denominator * power)
            power *= x * x
        return CONTEXT.plus(series)
