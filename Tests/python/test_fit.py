import json
import subprocess
import sys

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


def test_sentences_open_with_the_schedule(photo, models):
    fit = garface.Fit(photo, models=models)
    for bad in ("", "{", "[]", '{"stages": [{"optimiser": "prayer"}]}', '{"stages": 3}', "[" * 1000):
        for call in (lambda: fit.run(bad), lambda: garface.reconstruct(photo, models=models, schedule=bad)):
            with pytest.raises(garface.GarfaceError, match="^schedule"):
                call()


@pytest.mark.parametrize("renderer, other", [
    ("gar", "albedo"), ("gar", "light"), ("sh", "w_plus"), ("sh", "noise"), ("landmarks", "w_plus"), ("landmarks", "light")])
def test_blocks_that_the_renderer_does_not_have(photo, models, renderer, other):
    stages = garface.standard_schedule("landmarks")["stages"] + [
        {"optimiser": "adam", "iterations": 1, "blocks": ["identity", other]}]
    fit = garface.Fit(photo, models=models, renderer=renderer)
    for call in (
        lambda: fit.run(stages), lambda: garface.reconstruct(photo, models=models, renderer=renderer, schedule=stages)):
        with pytest.raises(garface.MalformedFileError, match=f'^schedule: stage 1: .*"{other}"; it has identity'):
            call()
    assert fit.result().history == []


def test_outcomes_of_stages(photo, models, result):
    assert result.face_probability > 0.98 and result.converged and [s["stage"] for s in result.stages] == ["landmarks", "appearance", "coarse", "joint"]
    for stage in result.stages:
        assert stage["iterations"] == sum(entry["stage"] == stage["stage"] for entry in result.history)
        assert stage["ended"] in ("finished", "tolerance", "no descent") and stage["energy_end"] <= stage["energy_start"]
    assert result.stages[-1]["ended"] == "finished"
    fit = garface.Fit(photo, models=models)
    assert fit.result().converged and fit.result().stages == []
    stage = {"name": "still", "optimiser": "adam", "iterations": 30, "blocks": ["rotation"], "steps": {"rotation": 0},
             "tolerance": 1e-3}
    fit.run(stage)
    assert fit.result().stages[-1]["ended"] == "tolerance" and fit.result().stages[-1]["iterations"] == 11
    fit.run({**stage, "optimiser": "lbfgs"})
    assert fit.result().stages[-1]["ended"] == "no descent" and fit.result().converged


def test_a_fit_that_diverges_says_so(photo, models, tmp_path):
    fit = garface.Fit(photo, models=models)
    fit.run(garface.standard_schedule("gar")["stages"][0])
    wild = {"name": "wild", "optimiser": "adam", "iterations": 3, "blocks": ["rotation", "similarity"],
            "steps": {"rotation": 1, "similarity": 1}}
    lines = []
    garface.set_log(lines.append)
    try:
        fit.run(wild)
        end = fit.result()
    finally:
        garface.set_log(None)
    last = end.stages[-1]
    assert last["energy_end"] > last["energy_start"] and end.converged is False
    assert any(line.startswith("warning: the fit did not converge") and "wild" in line for line in lines)
    end.write(tmp_path, files=["parameters"])
    assert json.loads((tmp_path / "parameters.json").read_text())["converged"] is False


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


def test_a_picture_is_of_the_pose_that_is_written(photo, models, result, tmp_path):
    """Also where the head is five times as large as the photo; and a turned start is turned back by the picture alone."""
    pixels = garface.Image(photo).array()
    x, y, side = 210, 105, 28
    points = result.landmarks_static - [x, y]
    seen = ((points >= 0) & (points < side)).all(1)
    tiny = np.ascontiguousarray(pixels[y:y + side, x:x + side])
    stages = [{**stage, "iterations": 3} for stage in garface.standard_schedule()["stages"]]
    for found in (
        garface.reconstruct(tiny, models=models, landmarks=points, landmark_confidences=seen.astype(float), schedule=stages),
        garface.reconstruct(pixels, models=models, schedule=stages),
        garface.reconstruct(pixels, models=models, renderer="start"),
    ):
        found.write(tmp_path, files=["parameters"])
        again = garface.load_result(tmp_path / "parameters.safetensors", models=models)
        assert np.array_equal(again.render, found.render)


@pytest.mark.parametrize("weights", [{"photometric": 3000}, {"perceptual": 300}])
def test_the_picture_alone_finds_the_roll(photo, models, result, weights):
    turned = result.edit(roll=result.roll + 10)
    fit = garface.Fit(photo, start=turned)
    fit.run({**garface.standard_schedule()["stages"][2], "iterations": 40, "blocks": ["similarity", "rotation"],
             "weights": {"landmarks": 0, **weights}})
    assert abs(fit.result().roll - result.roll) < 2


@pytest.mark.parametrize("progress", ["None", "lambda fraction, stage: None"])
def test_interrupted_from_the_keyboard(photo, progress):
    program = (
        "import os, signal, sys, threading, garface\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"      # shells ignore it in what runs in the background
        "fit = garface.Fit(sys.argv[1])\n"
        "stage = {**garface.standard_schedule()['stages'][2], 'iterations': 100000}\n"
        "threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "try:\n"
        f"    fit.run(stage, progress={progress})\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n")
    done = subprocess.run([sys.executable, "-c", program, str(photo)], capture_output=True, text=True, timeout=120)
    assert done.stdout == "interrupted\n", done.stderr
