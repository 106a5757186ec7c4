import numpy as np
import pytest

import garface


def test_stage_by_stage(photo, models):
    fit = garface.Fit(photo, models=models)
    start = fit.result()
    assert start.history == [] and start.render is None
    stages = garface.standard_schedule("gar")["stages"]
    assert [stage["name"] for stage in stages] and stages[0]["optimiser"] == "gauss_newton"
    counts = []
    for stage in stages:
        stage["iterations"] = min(stage["iterations"], 5)
        fit.run(stage)
        counts.append(len(fit.result().history))
    assert counts == sorted(counts) and counts[-1] > counts[0] > 0
    end = fit.result()
    assert end.render is not None and not np.array_equal(end.w_plus, start.w_plus)
    assert not np.array_equal(end.identity, start.identity)
    # The landmark stage lowered its own energy.
    landmarks = [entry["total"] for entry in end.history if entry["stage"] == stages[0]["name"]]
    assert landmarks[-1] <= landmarks[0]


def test_schedules_are_checked(photo, models):
    fit = garface.Fit(photo, models=models)
    for bad in ("", "{", "[]", '{"stages": [{"optimiser": "prayer"}]}', '{"stages": 3}', "[" * 1000):
        with pytest.raises((garface.MalformedFileError, garface.InvalidArgumentError)):
            fit.run(bad)
    stage = garface.standard_schedule("gar")["stages"][0]
    for change in ({"iterations": -1}, {"iterations": 1e12}, {"blocks": ["soul"]}, {"weights": {"luck": 1}}, {"tolerance": -1}):
        with pytest.raises(garface.MalformedFileError):
            fit.run({**stage, **change})
    with pytest.raises(garface.InvalidArgumentError):
        garface.standard_schedule("oil")


def test_an_empty_schedule_is_the_start(photo, models):
    schedule = garface.standard_schedule("start")
    assert schedule == {"stages": []}
    start = garface.reconstruct(photo, models=models, renderer="start")
    for given in (schedule, [], '{"stages": []}'):
        result = garface.reconstruct(photo, models=models, schedule=given)
        assert result.history == [] and np.array_equal(result.render, start.render)
        assert np.array_equal(result.identity, start.identity) and np.array_equal(result.w_plus, start.w_plus)
    fit = garface.Fit(photo, models=models)
    fit.run(schedule)
    assert fit.result().history == [] and np.array_equal(fit.result().identity, start.identity)


def test_steps_out_of_range_are_refused(photo, models):
    stage = next(s for s in garface.standard_schedule("gar")["stages"] if s["optimiser"] == "adam")
    for step in (1.001, 1e9, -0.1):
        bad = {**stage, "steps": {**stage["steps"], "w_plus": step}}
        with pytest.raises(garface.MalformedFileError, match="w_plus.*from 0 to 1"):
            garface.reconstruct(photo, models=models, schedule=bad)
    fit = garface.Fit(photo, models=models)
    fit.run({**stage, "iterations": 1, "steps": {"w_plus": 1}})


def test_a_cancelled_stage_leaves_a_usable_fit(photo, models):
    fit = garface.Fit(photo, models=models)
    fit.run(garface.standard_schedule("gar")["stages"][0])
    before = fit.result()
    with pytest.raises(garface.CancelledError):
        fit.run(garface.standard_schedule("gar")["stages"][1], progress=lambda fraction, stage: fraction < 0.2)
    assert np.array_equal(before.identity, fit.result().identity)


def test_one_call_at_a_time(photo, models):
    """A call from inside a running call is a second user of the same fit."""
    fit = garface.Fit(photo, models=models)
    seen = []

    def progress(fraction, stage):
        try:
            fit.result()
        except garface.BusyError as busy:
            seen.append(busy)
        return True

    fit.run(garface.standard_schedule("gar")["stages"][0], progress=progress)
    assert seen


def test_a_schedule_for_a_whole_reconstruction(photo, models):
    schedule = garface.standard_schedule("gar")
    for stage in schedule["stages"]:
        stage["iterations"] = 2
    result = garface.reconstruct(photo, models=models, schedule=schedule)
    assert len(result.history) <= 2 * len(schedule["stages"]) + 2
