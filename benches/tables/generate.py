"""Makes the tables that `measure.py` reads.

    python3 benches/tables/generate.py DIR [SCALE]

`wide.csv`: 286 columns like the ITER census table, 1.2 GB. `short.csv`: rows of 30 bytes. `quoted.csv`: every field in
quotes. `deep.csv`: 1.5 million rows of 286 columns with short cells, for Parquet. The same seed gives the same bytes.
SCALE, 1 by default, makes all of them smaller.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

BLOCK = 2000


def wide_row(random: random.Random, state: int, mun: int, loc: int) -> str:
    people = random.randrange(1, 40_000)
    cells = [f"{state:02}", "Veracruz de Ignacio de la Llave", f"{mun:03}", "Xalapa", f"{loc:04}", "Total de la Entidad"]
    cells += ["96°55'38.000\" W".replace('"', "''"), "19°32'24.000'' N", "1427", str(people)]
    cells += [str(random.randrange(people + 1)) if random.random() < 0.7 else "*" for _ in range(286 - len(cells))]
    return ",".join(cells)


def header(columns: int) -> str:
    names = ["ENTIDAD", "NOM_ENT", "MUN", "NOM_MUN", "LOC", "NOM_LOC", "LONGITUD", "LATITUD", "ALTITUD", "POBTOT"]
    return ",".join(names + [f"V{at}" for at in range(columns - len(names))])


def write(path: Path, head: str, block, size: int) -> None:
    """Writes blocks of rows until the file has this size in bytes."""
    with path.open("wb") as file:
        written = file.write((head + "\n").encode())
        while written < size:
            written += file.write(block())
    print(f"{path}: {written:,} bytes", file=sys.stderr)


def wide(path: Path, size: int) -> None:
    seed = random.Random(1)
    rows = [wide_row(seed, at % 32 + 1, at % 13, at % 101) for at in range(BLOCK)]
    # A few thousand rows, again and again in another order: no two blocks are alike, and no reader could tell.
    def block() -> bytes:
        seed.shuffle(rows)
        return ("\n".join(rows) + "\n").encode()

    write(path, header(286), block, size)


def short(path: Path, size: int) -> None:
    seed = random.Random(2)

    def block() -> bytes:
        rows = (f"{seed.randrange(10**6):06},{seed.randrange(100)},{seed.random():.6f},abc{seed.randrange(10**4):04}" for _ in range(BLOCK))
        return ("\n".join(rows) + "\n").encode()

    write(path, "id,n,x,name", block, size)


def quoted(path: Path, size: int) -> None:
    seed = random.Random(3)

    def block() -> bytes:
        rows = (f'"{seed.randrange(10**6)}","name {seed.randrange(1000)}","{seed.random():.4f}","a, b"' for _ in range(BLOCK))
        return ("\n".join(rows) + "\n").encode()

    write(path, '"id","name","x","y"', block, size)


def deep(path: Path, rows: int) -> None:
    seed = random.Random(4)
    with path.open("wb") as file:
        file.write((header(286) + "\n").encode())
        for start in range(0, rows, BLOCK):
            cells = [str(seed.randrange(1000)) for _ in range(286 + 97)]
            lines = []
            for at in range(min(BLOCK, rows - start)):
                shift = seed.randrange(97)
                lines.append(f"{start + at}," + ",".join(cells[shift : shift + 285]))
            file.write(("\n".join(lines) + "\n").encode())
    print(f"{path}: {rows:,} rows, {path.stat().st_size:,} bytes", file=sys.stderr)


def main() -> None:
    folder, scale = Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    folder.mkdir(parents=True, exist_ok=True)
    wide(folder / "wide.csv", int(1.2e9 * scale))
    short(folder / "short.csv", int(600e6 * scale))
    quoted(folder / "quoted.csv", int(600e6 * scale))
    deep(folder / "deep.csv", int(1_500_000 * scale))


if __name__ == "__main__":
    main()
