"""`python -m cdp.processes.worker events`: one worker process for one kind of work, or for several."""

from __future__ import annotations

import argparse
import sys
import warnings

from cdp.processes.kinds import NAMES, kind_named

#: workers of ours speak to each other through PostgreSQL alone
_ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")


def main() -> None:
    """Run the worker until a signal asks it to stop."""
    parser = argparse.ArgumentParser(description="One worker process. `manage.py work` runs and minds all of them.")
    parser.add_argument("kinds", nargs="+", choices=NAMES, metavar="kind", help=", ".join(NAMES))
    parser.add_argument("--loglevel", default="WARNING")
    options = parser.parse_args()
    # The warning about root is for those who accept pickles, which we do not.
    warnings.filterwarnings("ignore", message="You're running the worker")
    from cdp.celery import app  # after the arguments were read: it loads the settings

    refuse_unfit()
    threads = sum(kind_named(name).threads for name in options.kinds)
    arguments = ["-q", "worker", "--queues", ",".join(options.kinds), "--concurrency", str(threads)]
    arguments += ["--hostname", f"{'+'.join(options.kinds)}@%h", "--loglevel", options.loglevel, *_ALONE]
    app.worker_main(argv=arguments)


def refuse_unfit() -> None:
    """End here when this process may not work with the settings it was given."""
    import django
    from django.db import connections

    from cdp.start_checks import troubles_at_start

    django.setup()
    if found := troubles_at_start():
        sys.exit("\n".join(found))
    connections.close_all()


if __name__ == "__main__":
    main()
