"""The chart of `run growth`."""

PANELS = [("requests per second", "rate", "{:,.0f}"), ("peak memory, MB", "peak", "{:.0f}")]
SERIES = ["reqwest", "client"]
WIDTH, HEIGHT, TOP, LEFT = 300, 150, 46, 62

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #333 }
.axis { stroke: #888; stroke-width: 1 }
.grid { stroke: #8884; stroke-width: 1 }
.client { stroke: #c2410c; fill: #c2410c }
.reqwest { stroke: #2563eb; fill: #2563eb }
polyline { stroke-width: 2; fill: none !important }
text.client, text.reqwest { stroke: none; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd }
  .client { stroke: #fb923c; fill: #fb923c }
  .reqwest { stroke: #60a5fa; fill: #60a5fa }
}
"""


def growth_chart(measured):
    """Two panels over the calls in flight: how many requests, and how much memory."""
    total_width, total_height = 2 * (LEFT + WIDTH) + 36, TOP + HEIGHT + 44
    parts = [panel(measured, LEFT + number * (LEFT + WIDTH + 12), *PANELS[number]) for number in range(len(PANELS))]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width} {total_height}" '
        f'width="{total_width}" height="{total_height}" role="img">\n'
        "<title>Requests per second and peak memory of the client and of reqwest alone, by calls in flight</title>\n"
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def panel(measured, left, title, key, form):
    """A line for each of the series; the steps between the numbers of calls are equally wide."""
    highest, step = axis(max(row[key][name] for row in measured for name in SERIES))
    x = [left + WIDTH * number / (len(measured) - 1) for number in range(len(measured))]
    y = lambda value: TOP + HEIGHT * (1 - value / highest)
    lines = [f'<text x="{left}" y="18" font-weight="bold">{title}</text>']
    for tick in range(int(highest / step) + 1):
        at = y(tick * step)
        lines.append(f'<line class="grid" x1="{left}" x2="{left + WIDTH}" y1="{at:.1f}" y2="{at:.1f}"/>')
        lines.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{form.format(tick * step)}</text>')
    bottom = TOP + HEIGHT
    lines.append(f'<line class="axis" x1="{left}" x2="{left + WIDTH}" y1="{bottom}" y2="{bottom}"/>')
    for row, at in zip(measured, x):
        lines.append(f'<text x="{at:.1f}" y="{bottom + 17}" text-anchor="middle">{row["in flight"]}</text>')
    lines.append(f'<text x="{left + WIDTH / 2}" y="{bottom + 35}" text-anchor="middle">calls in flight</text>')
    for number, name in enumerate(SERIES):
        points = [(at, y(row[key][name])) for row, at in zip(measured, x)]
        lines.append(f'<polyline class="{name}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')
        lines += [f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points]
        lines.append(f'<text class="{name}" x="{left + WIDTH - 70 * number}" y="36" text-anchor="end">{name}</text>')
    return "\n".join(lines)


def axis(value):
    """A round number that is no less, and a part of it for the ticks."""
    magnitude = 10 ** (len(str(int(value))) - 1)
    step = next(step for step in (magnitude / 5, magnitude / 2, magnitude, 2 * magnitude) if value / step <= 5)
    return step * -(-value // step), step
