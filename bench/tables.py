"""How the benchmark prints: one table at a time, columns as wide as they must be."""


def table(title, heads, rows):
    cells = [heads] + [[cell if isinstance(cell, str) else f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.2f}" for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    print(f"\n{title}")
    for row in cells:
        print("  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]), flush=True)


class Goals:
    """What was asked for beside what was measured, printed at the end."""

    def __init__(self):
        self.rows = []

    def add(self, name, goal, figure, is_met):
        self.rows.append([name, goal, figure, "met" if is_met else "MISSED"])

    def print(self):
        table("Goals", ["goal", "asked", "measured", ""], self.rows)
