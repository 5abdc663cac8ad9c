"""Plots as inline SVG."""

from io import StringIO

from matplotlib.figure import Figure

from loadtest.bench.result import Plot

_SIZE_IN = (7.2, 3.4)
_MARKED = 60


def svg(plot: Plot) -> str:
    """Return a plot as an `<svg>` element; the same points make the same text."""
    figure = Figure(figsize=_SIZE_IN, layout="constrained")
    axes = figure.subplots()
    for name, (x, y) in plot.series.items():
        marker = "." if len(x) <= _MARKED else ""
        axes.plot(x, y, label=name, marker=marker, linewidth=1.2)
    axes.set(xlabel=plot.x_label, ylabel=plot.y_label, title=plot.title)
    if plot.log_x:
        axes.set_xscale("log")
    if plot.log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    if len(plot.series) > 1:
        axes.legend(fontsize="small")
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
