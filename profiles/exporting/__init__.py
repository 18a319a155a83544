"""The engine of bulk exports: jobs, their worker, files, and what becomes of these."""
