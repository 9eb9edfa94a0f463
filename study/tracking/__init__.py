"""MLflow as a projection of the ledger: one parent run a study, one run a trial, made whole again whatever happens.

`exporter` starts `exporter_process`, which writes with `projection` what `trial_run` and `study_run` say;
`sync` does the same when asked. MLflow is imported where it is used: that takes a second.
"""
