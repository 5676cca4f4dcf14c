# Common tasks. `just` lists them; https://just.systems

# list the recipes
default:
    @just --list

# what must pass before a change lands
ci:
    .ci/run

# format, lints, tests
check:
    cargo fmt --all
    cargo clippy --workspace --all-targets -- -D warnings
    cargo test

# the main job, without a network
main:
    cargo run --release -- iter --mirror embedded

# the documentation of all crates
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --open

# licences, sources, banned crates
deny:
    cargo deny --workspace check licenses bans sources

# compare the pool with what one would write without it
bench-pool:
    cargo bench -p raudal-pool --bench pool -- --quick

# thirty runs over all faults of the origin, or more: `just soak 1000`
soak runs="30":
    RAUDAL_SOAK_RUNS={{ runs }} cargo test --test soak -- --nocapture

# the Python package in an environment of its own, with its tests
python:
    python3 -m venv target/python
    target/python/bin/pip install -q maturin duckdb ipykernel lxml matplotlib mypy nbclient pandas polars psutil pyarrow pytest tqdm
    . target/python/bin/activate && maturin develop -m python/Cargo.toml && python -m pytest -q python

# the notebooks, after `just python`
notebooks:
    target/python/bin/python examples/notebooks/run.py
