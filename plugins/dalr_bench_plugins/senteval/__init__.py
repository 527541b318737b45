"""SentEval's data and protocol, shared by the evaluators that follow it. Not components: those are in `evaluators`."""
