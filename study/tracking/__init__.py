"""MLflow as a projection of the ledger: one parent run a study, one run a trial, made whole again whatever happens.

`exporter` starts `follower` in a process of its own, which writes with `projection` what `content` and `parent` say;
`sync` does the same when asked. MLflow is imported where it is used: that takes a second.
"""
