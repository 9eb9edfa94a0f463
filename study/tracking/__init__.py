"""MLflow as a projection of the ledger, with a parent run per study and a run per trial, repairable at any time.

`exporter` starts `exporter_process`, in which `projection` writes the runs that `trial_run` and `study_run` describe.
`sync` does the same on request. Importing MLflow takes a second, so it is imported only where it is used.
"""
