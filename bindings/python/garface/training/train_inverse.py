"""Train the inverse network: aligned crop -> identity, expression, pose, w and landmarks.

Material: portraits, real crops and (with --renders) renders of a trained GAR whose parameters are known exactly; each a
folder with fits or a packed set. With --gar the GAR's encoder teaches w on the portraits, and with --render-weight the
GAR, given the predicted w and the fitted normals, has to show the photo.

Every random number follows from --seed and the step or the number of a chunk of crops, and the schedule counts steps: a
run that was stopped (--minutes, --until, or a file OUT/stop) and started again ends in the same weights, to the bit on one machine
with the same settings. It makes its pool of crops anew first. Several processes: torchrun --nproc_per_node=N -m
garface.training train-inverse ...; the loss is that of one process with the whole batch. On a GPU the network runs in
bfloat16 autocast.

OUT: ema.pt (averaged weights), state.pt (to resume), curves.jsonl, curves.png, sample.png (held-out crops: true points
green, landmark head yellow, model red).
"""
import argparse
import copy
import functools
import glob
import math
import os
import time

import cv2
import numpy as np
import torch

from . import curves, distributed, inverse_sheet, runs
from .convnets import InverseNetwork, load_inverse
from .crop_pool import CropPool, LocalSource, PoolPlan, ProcessSource
from .crops import CLOSE_UP, CROP, FIELDS, LABELS, NEGATIVE, PORTRAIT, RENDER, WHOLE_FRAME, CropMaker, mirror_labels
from .data import load_crops, load_portraits, training_crops, training_portraits, validation_crops
from .export import load_network
from .eyelids import shut_eyes_repeated
from .inverse_losses import Geometry, losses, weighted_mean
from .networks import channels_last
from .normals import HeadModel
from .renders import load_renders
from .revive import express_landmarks, revive
from .scenes import TRAINING_PICTURES, package_pictures
from .teacher import RenderMatch, Teacher
from .train_detector import average, to_input

MIX = {PORTRAIT: 0.17, CROP: 0.34, RENDER: 0.42, NEGATIVE: 0.07}
CLOSE_UP_MIX = {PORTRAIT: 0.23, CROP: 0.42, RENDER: 0.35}      # what is no face, another has said before
FALSE_ALARMS = 300
CALIBRATION = 512      # crops that set a revived network's normalisation


def framing(arguments):
    return CLOSE_UP if arguments.close_up else WHOLE_FRAME


def load_sets(arguments):
    """(head, portraits, crops, (renders or None, their w or None))"""
    head = HeadModel(arguments.head)
    portraits = load_portraits(arguments.portraits, arguments.cache, framing(arguments).portrait_size)
    crops = load_crops(arguments.crops, arguments.cache)
    renders = load_renders(arguments.renders, head) if arguments.renders else (None, None)
    return head, portraits, crops, renders


def crops_to_draw(crops, head):
    """The grey crops trained on; those of shut eyes, of which there are few, several times."""
    grey = training_crops(crops)
    return grey.subset(shut_eyes_repeated(head.landmarks(grey.identity, grey.expression)))


def backgrounds(arguments):
    """Pictures without a face: those of the folder, or those inside scikit-image and scikit-learn."""
    if not arguments.backgrounds:
        return package_pictures(TRAINING_PICTURES)
    read = [cv2.imread(p, cv2.IMREAD_COLOR) for p in sorted(glob.glob(os.path.join(arguments.backgrounds, "*")))]
    found = [np.ascontiguousarray(p[:, :, ::-1]) for p in read if p is not None]
    if not found:
        raise ValueError(f"{arguments.backgrounds}: holds no pictures")
    return found


def chunk_maker(arguments, sets=None):
    """The function that makes chunk k of a run; `sets` as from `load_sets`, read again where not given."""
    head, portraits, crops, (renders, w) = sets or load_sets(arguments)
    exact = np.zeros(len(renders or ())) if w is None else ~np.isnan(w[:, 0])
    maker = CropMaker(training_portraits(portraits), crops_to_draw(crops, head), renders, backgrounds(arguments), head,
                      framing(arguments), exact)
    if arguments.detector:
        maker.mine(np.random.default_rng([arguments.seed, 0]), load_network(arguments.detector, "face-detector"), FALSE_ALARMS)

    def make(number):
        return maker.numbered(arguments.seed, number, arguments.chunk, CLOSE_UP_MIX if arguments.close_up else MIX)
    return make


def initial_network(arguments, latent, sets):
    """A new network, or that of --initial: a checkpoint, or a weight file, whose normalisation a few chunks of crops set."""
    path, shown = arguments.initial, framing(arguments)
    if not path:
        return InverseNetwork(latent, size=shown.size, field=shown.field)
    if not path.endswith(".safetensors"):
        network = load_inverse(path, latent)
        if (network.size, network.field) != (shown.size, shown.field):
            raise ValueError(f"{path}: is {'the whole head' if shown is CLOSE_UP else 'a close-up'}'s; "
                             f"give another, or {'leave out' if shown is CLOSE_UP else 'add'} --close-up")
        return network
    make = chunk_maker(arguments, sets)
    images = to_input(np.concatenate([make(k)[0] for k in range(max(1, CALIBRATION // arguments.chunk))]))
    return revive(path, images, arguments.width, latent, arguments.seed, shown.field)


def principal_landmarks(labels):
    """(mean [136], basis [136,136] in units of the principal deviations) of the labels' landmarks."""
    known = labels[labels[:, FIELDS["kind"]][:, 0] != NEGATIVE][:, FIELDS["landmarks"]]
    mean = known.mean(0)
    _, s, vt = np.linalg.svd(known - mean, full_matrices=False)
    deviation = np.full(136, 0.003)
    deviation[:len(s)] = np.maximum(s / np.sqrt(len(known)), 0.003)
    basis = np.eye(136)
    basis[:, :len(s)] = vt.T
    return torch.from_numpy(mean).float(), torch.from_numpy(basis * deviation).float()


def rate_at(step, steps, highest):
    """Learning rate of a step: up over the first 200, then down half a cosine."""
    return float(highest * min(1.0, (step + 1) / 200) * max(0.003, 0.5 + 0.5 * np.cos(np.pi * min(1.0, step / steps))))


def perturbed(images, labels, rng, plan, rank, world, mirror, device="cpu"):
    """Fresh mirroring and exposure at every use: (network input [b,3,S,S] on the device, label rows [b,LABELS]) of the rank's slice.

    The draw is the whole batch's, of which the rank takes its part.
    """
    flip, gain, offset = (distributed.share(v, rank, world) for v in (
        rng.random(plan.batch) < 0.5, np.exp(rng.normal(0, 0.12, (plan.batch, 1, 1, 1))),
        rng.normal(0, 0.1, (plan.batch, 1, 1, 1))))
    rows = np.where(flip[:, None], mirror_labels(labels, *mirror), labels).astype(np.float32)
    flip, gain, offset = (torch.from_numpy(v).to(device) for v in (flip, gain.astype(np.float32), offset.astype(np.float32)))
    x = to_input(images, device)
    x = torch.where(flip[:, None, None, None], x.flip(3), x)
    return (x * gain + offset).clamp(-1, 1), rows


class InverseTrainer:
    """Network, average and optimiser; one training step on this rank's slice of a batch."""

    def __init__(self, arguments, plan, head, network, teacher=None, match=None, rank=0, world=1, device="cpu"):
        self.a, self.plan, self.rank, self.world, self.device = arguments, plan, rank, world, torch.device(device)
        self.teacher, self.match, self.geometry = teacher, match, Geometry(head, device)
        self.mirror = head.identity_mirror()[0], head.expression_swap()
        self.network = channels_last(network).to(self.device).train()
        self.ema = copy.deepcopy(self.network)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=arguments.rate, weight_decay=2e-2)
        self.settings = runs.settings(arguments, world, device)
        self.step = 0

    def begin(self, labels):
        """Before the first step of a new run; `labels` of the first pool, the same on every rank."""
        mean, basis = principal_landmarks(labels)
        if not self.a.initial:                                  # the head starts at the mean
            self.network.landmark_mean.copy_(mean)
            self.network.landmark_basis.copy_(basis)
        elif self.a.initial.endswith(".safetensors"):           # a weight file keeps no basis
            express_landmarks(self.network, mean, basis)
        distributed.broadcast(self.network, self.world)
        self.ema.load_state_dict(self.network.state_dict())

    def train_step(self, images, labels, rng):
        """{name: loss term} of this rank; their mean over the ranks is the whole batch's."""
        x, rows = perturbed(images, labels, rng, self.plan, self.rank, self.world, self.mirror, self.device)
        x = x.contiguous(memory_format=torch.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.step, self.a.steps, self.a.rate)
        with self._amp():
            out = {k: v.float() for k, v in self.network(x).items()}
        target = torch.zeros_like(out["w"])
        known = torch.zeros(len(x), device=self.device)
        scaled = out
        if self.teacher:
            target, known = (torch.from_numpy(v).to(self.device) for v in self.teacher.targets(rows))
            scaled = dict(out, w=out["w"] / self.teacher.scale)
        terms = losses(scaled, torch.from_numpy(rows).to(self.device), target, known, self.geometry, self.world)
        if self.match:
            terms["render"] = self.a.render_weight * self._render(out["w"], rows)
        loss = sum(terms.values())
        self.optimizer.zero_grad()
        loss.backward()
        distributed.average_gradients(self.network.parameters(), self.world)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 20.0)
        self.optimizer.step()
        self.step += 1
        average(self.ema, self.network, min(0.998, self.step / (self.step + 20)))
        return dict(zip(terms, torch.stack([v.detach() for v in terms.values()]).tolist()))

    def _amp(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.a.bf16 or self.device.type == "cuda")

    def _render(self, w, rows):
        """Mean render difference over one real photo per lane of the whole batch."""
        chosen = self.match.choose(rows, len(self.plan.own_lanes(self.rank, self.world)))
        if len(chosen):
            with self._amp():
                difference = self.match(w[torch.from_numpy(chosen).to(self.device)], rows[chosen])
        else:
            difference = w.sum(1)[:0]
        return weighted_mean(difference, torch.ones_like(difference), self.world)

    def parts(self):
        return {"network": self.network, "ema": self.ema, "optimizer": self.optimizer}

    def save(self, folder):
        for network in (self.network, self.ema):
            runs.check_weights(network.state_dict(), self.step)
        runs.write(os.path.join(folder, "ema.pt"), self.ema.checkpoint())
        state = {name: part.state_dict() for name, part in self.parts().items()}
        runs.write(os.path.join(folder, "state.pt"), state | {"step": self.step, "settings": self.settings})

    def load(self, path):
        state = runs.resume(path, self.parts(), ["step"], self.settings, "train-inverse", self.rank, self.device)
        self.step = state["step"]


class Reporter:
    """Loss curves, sample sheet and lines of text; only rank 0 writes, all ranks have to call."""

    def __init__(self, trainer, held_out, folder, every):
        self.trainer, self.held_out, self.folder, self.every = trainer, held_out, folder, every
        self.sums, self.count, self.since = {}, 0, time.time()

    def add(self, terms):
        for k, v in terms.items():
            self.sums[k] = self.sums.get(k, 0.0) + v
        self.count += 1

    def losses(self):
        t = self.trainer
        means = {k: distributed.mean(v / self.count, t.world) for k, v in self.sums.items()}
        means = {"loss": sum(means.values()), **means}
        if t.rank == 0:
            speed = self.count * t.plan.batch / (time.time() - self.since)
            print(f"{t.step} of {t.a.steps} {speed:.0f}/s " + " ".join(f"{k} {v:.3f}" for k, v in means.items()), flush=True)
            curves.record(os.path.join(self.folder, "curves.jsonl"), t.step, means)
        self.sums, self.count, self.since = {}, 0, time.time()

    def check(self):
        """Validate the averaged network and draw."""
        t, since = self.trainer, time.time()
        if t.rank == 0:
            images, labels = self.held_out
            out, geometry = inverse_sheet.read(t.ema, images, t.device), self._geometry()
            found = inverse_sheet.measure(out, labels, geometry)
            print(f"{t.step} held out: " + ", ".join(f"{k} {v:.2f}" for k, v in found.items()), flush=True)
            curves.record(os.path.join(self.folder, "held_out.jsonl"), t.step, found)
            curves.draw(os.path.join(self.folder, "curves.jsonl"), os.path.join(self.folder, "curves.png"))
            curves.draw(os.path.join(self.folder, "held_out.jsonl"), os.path.join(self.folder, "held_out.png"))
            inverse_sheet.write(os.path.join(self.folder, "sample.png"), images, labels, out, geometry, t.network.field)
        self.since += time.time() - since

    def _geometry(self):
        """The trainer's geometry on the CPU."""
        geometry = Geometry.__new__(Geometry)
        geometry.__dict__ = {k: v.cpu() for k, v in vars(self.trainer.geometry).items()}
        return geometry


def held_out_crops(arguments, head, portraits, crops, count):
    """(images, labels) of crops from faces that are never trained on."""
    test = portraits.subset(np.flatnonzero(portraits.index % 15 == 7))
    people = validation_crops(crops)
    if not len(test) or not len(people):
        raise ValueError("no face is left to validate on: every fifteenth portrait (number % 15 == 7) and the crops of every "
                         "twentieth person (person % 20 == 3) are kept for it")
    maker = CropMaker(test, people, None, backgrounds(arguments), head, framing(arguments))
    negatives = 0.0 if arguments.close_up else 0.1
    return maker.chunk(np.random.default_rng(7), count, {PORTRAIT: 0.45, CROP: 0.45, NEGATIVE: negatives})


def train(arguments):
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(1)
    rank, world = distributed.start()
    device = distributed.device()
    if device.type == "cuda":      # for the same bits again
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    os.makedirs(arguments.out, exist_ok=True)
    plan = PoolPlan(arguments.seed, arguments.batch, arguments.reuse, arguments.pool, arguments.lanes, arguments.chunk)
    sets = head, portraits, crops, (_, render_w) = load_sets(arguments)
    held_out = held_out_crops(arguments, head, portraits, crops, arguments.held_out) if rank == 0 else None
    teacher = match = None
    if arguments.gar:
        teacher = Teacher(arguments.gar, training_portraits(portraits), render_w, head, arguments.cache, device)
        if arguments.render_weight > 0:
            match = RenderMatch(teacher, head, {PORTRAIT: training_portraits(portraits), CROP: crops_to_draw(crops, head)})
    torch.manual_seed(arguments.seed)
    network = initial_network(arguments, teacher.latent if teacher else arguments.latent, sets)
    trainer = InverseTrainer(arguments, plan, head, network, teacher, match, rank, world, device)
    state = os.path.join(arguments.out, "state.pt")
    if os.path.exists(state):
        trainer.load(state)
    last = min(arguments.steps, arguments.until or arguments.steps)
    if runs.nothing_to_do(arguments.out, trainer.step, last, world, rank):
        return distributed.stop()
    if arguments.producers:
        def source(first, lanes):
            return ProcessSource(chunk_maker, arguments, plan, first, lanes, arguments.producers)
    else:
        def source(first, lanes):
            return LocalSource(chunk_maker(arguments, sets))
    pool = CropPool(plan, source, trainer.step, rank, world)
    try:
        if trainer.step == 0:
            labels = distributed.gather(pool.present_labels(0), world)
            trainer.begin(labels.reshape(-1, LABELS))
        else:
            pool.advance(trainer.step)
        run(arguments, trainer, pool, Reporter(trainer, held_out, arguments.out, arguments.report), last)
    finally:
        pool.close()
        distributed.stop()


def run(arguments, trainer, pool, reporter, last):
    """Steps until `last`, --minutes or OUT/stop."""
    minutes = math.inf if arguments.minutes is None else arguments.minutes
    limits, done = runs.Limits(arguments.out, last, minutes, trainer.world), False
    while not done:
        rng = trainer.plan.random(trainer.step)
        images, labels = pool.draw(trainer.step, rng)
        terms = trainer.train_step(images, labels, rng)
        runs.check_losses(terms, trainer.step, trainer.world)
        reporter.add(terms)
        done = limits.reached(trainer.step)
        if trainer.step % arguments.report == 0 or done:
            reporter.losses()
        if trainer.step % arguments.save == 0 or done:
            if trainer.rank == 0:
                trainer.save(arguments.out)
            reporter.check()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    whole = functools.partial(parser.add_argument, type=int)
    parser.add_argument("--head", required=True, help="head model (.npz)")
    parser.add_argument("--portraits", required=True, help="aligned colour portraits: a folder with fits or a packed set")
    parser.add_argument("--crops", required=True, help="crops of real photos: a folder with fits or a packed set")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--out", required=True, help="folder for checkpoints")
    parser.add_argument("--renders", help="renders with known parameters (see garface.training.renders)")
    parser.add_argument("--close-up", action="store_true", help="a network that reads faces again, larger, where another has placed "
                        "them: it sees little more than the face, nearly aligned")
    parser.add_argument("--gar", help="averaged checkpoint of train_gar: its encoder teaches w on the portraits")
    parser.add_argument("--render-weight", type=float, default=0.0,
                        help="weight of the match between photo and render of the predicted w on --lanes photos a step (with "
                             "--gar; 0: off, as it costs as many forward and backward passes of the renderer)")
    parser.add_argument("--detector", help="weight file of the face detector: its false alarms become negatives")
    parser.add_argument("--backgrounds", help="folder of pictures without faces; default: those inside scikit-image, -learn")
    parser.add_argument("--initial", help="checkpoint (ema.pt) or weight file (.safetensors) whose weights a new run starts from")
    parser.add_argument("--width", type=float, default=1.0, help="channels as a multiple of those of the weight file --initial")
    whole("--latent", default=256, help="size of w when no --gar is given")
    whole("--steps", default=40000, help="length of the run; the learning rate falls to zero over it")
    whole("--until", help="stop and save at this step of them; the run can be resumed")
    parser.add_argument("--minutes", type=float, help="stop and save after so long; the run can be resumed")
    whole("--batch", default=32, help="samples a step, over all processes")
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 on the CPU too, where it is quick (AVX-512 BF16, AMX); a GPU "
                        "always takes it")
    whole("--pool", default=16384, help="crops kept in memory, over all processes; made anew on resumption")
    parser.add_argument("--reuse", type=float, default=4, help="how often a crop is drawn on average")
    whole("--lanes", default=8, help="parts of batch and pool that processes can share")
    whole("--chunk", default=64, help="crops made at a time")
    whole("--producers", default=1, help="processes making crops, per training process (0: make them in between)")
    whole("--threads", default=1, help="threads of the training process")
    whole("--report", default=200, help="steps between lines and points of the curves")
    whole("--save", default=1000, help="steps between checkpoints and pictures")
    whole("--held-out", default=500, help="held-out crops to validate on")
    whole("--seed", default=0)
    arguments = parser.parse_args(argv)
    if arguments.render_weight > 0 and not arguments.gar:
        parser.error("--render-weight needs --gar")
    if arguments.close_up and (arguments.gar or arguments.detector):
        parser.error("--close-up leaves w and what is no face to the network before it: without --gar and --detector")
    train(arguments)


if __name__ == "__main__":
    main()
