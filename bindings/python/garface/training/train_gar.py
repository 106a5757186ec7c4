"""Train the Generative Adversarial Renderer.

The published objective: non-saturating adversarial loss, lazy R1, path length on w and on every normal map, style mixing,
averaged weights, adaptive augmentation, normal consistency, contrastive pairs (same identity and z under another pose and
expression: same identity features; same normals under another z: same landmarks). Beyond it: a discriminator that sees
photo and normals together; reconstruction of photos through an encoder (L1 and discriminator features), of turned photos
inside the head, of grey crops in luminance; landmarks of a render where the mesh has them.

Normals beyond the photos (yaw to 60 degrees, open mouths, closed eyes) are never shown to the discriminator, which would
punish obedience: they are held by normals, landmarks and pairs, and by the turned photos and crops.

Writes OUT/state.pt (resumes from it to the bit on one machine), OUT/ema.pt (averaged weights, half precision),
OUT/sample.png (rows: photo, normals, reconstruction, random z, one z, wide normals, the same rendered, normals read off
the photo, turned view and its reconstruction, crop and its reconstruction) and OUT/losses.png. Stops after --minutes,
--steps, or when OUT/stop appears. One GPU, the CPU, or several processes with torchrun.
"""
import argparse
import math
import os

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from . import curves, distributed, runs
from .augment import Augmentation
from .codes import CodeBank
from .data import CENTRE_Y_MM, HALF_MM
from .draws import Draw
from .judges import LANDMARK_UNIT, Judges, landmark_difference, masked_difference
from .material import Material, prepare, wanted_groups
from .networks import Discriminator, Encoder, Generator, channels_last, grow, load_gar_file, pyramid
from .normals import HeadModel
from .regularisers import PathLength, mix_styles, r1_penalty

CODES = 128          # random codes compared with the photos' in a step
COARSEST = 64        # the smallest level that has to be a picture, beside the one below the last
LUMINANCE = torch.tensor([0.299, 0.587, 0.114])[:, None, None]


SIDES = (4, 8, 16, 32, 64, 128, 256)


def channel_table(base, least=8):
    return {r: base if r <= 16 else max(least, base * 16 // r) for r in SIDES}


def renderer_channels(a):
    """{side: channels} of the renderer: --channels, or what follows from --base and --least."""
    return dict(zip(SIDES, a.channels)) if a.channels else channel_table(a.base, a.least)


def partner_channels(a):
    """Those of discriminator and encoder, which nobody has to ship."""
    return channel_table(a.partner_base, a.least) if a.partner_base else renderer_channels(a)


def luminance(x):
    return (x * LUMINANCE.to(x.device)).sum(1, keepdim=True)


def inside_mean(difference, mask, weight):
    """Mean over the samples of the mean inside each mask, pixels weighed; [B,C,S,S], [B,1,S,S] twice"""
    area = mask.sum((1, 2, 3)).clamp(min=1) * difference.shape[1]
    return ((difference * mask * weight).sum((1, 2, 3)) / area).mean()


def feature_weight(landmarks, size, strength):
    """[B,1,S,S]: 1, and up to `strength` more at the eyes and the mouth, which are a few per cent of a picture and most of
    an expression. landmarks [B,68,2] NDC."""
    axis = (torch.arange(size, device=landmarks.device) + 0.5) * 2 / size - 1
    bump = 0
    for points in (slice(36, 42), slice(42, 48), slice(48, 68)):
        low, high = landmarks[:, points].amin(1), landmarks[:, points].amax(1)
        middle, reach = (low + high) / 2, (high - low) / 2 + LANDMARK_UNIT
        x = (axis - middle[:, :1]) / reach[:, :1]
        y = (-axis - middle[:, 1:]) / reach[:, 1:]
        bump = bump + torch.exp(-0.5 * (x.square()[:, None] + y.square()[:, :, None]))
    return 1 + strength * bump[:, None].clamp(max=1)


def coarse_difference(pictures, photos, inside, weight):
    """Mean difference of the levels from COARSEST to below the last to the photo reduced, and to the whole picture reduced."""
    whole, total, count = pictures[-1], 0.0, 0
    for picture in reversed(pictures[:-1]):
        photos, inside, weight, whole = (F.avg_pool2d(v, 2) for v in (photos, inside, weight, whole))
        if count and picture.shape[-1] < COARSEST:
            break
        difference = (picture - photos).abs() + (picture - whole).abs() / 2
        total, count = total + inside_mean(difference, (inside == 1).to(inside.dtype), weight), count + 1
    return total / count


class Trainer:
    """Networks, optimisers and one training step."""

    def __init__(self, a, device, rank=0, world=1, landmark_mean=None, settings=None):
        self.a, self.device, self.rank, self.world, self.settings = a, device, rank, world, settings or {}
        channels, partners = renderer_channels(a), partner_channels(a)
        self.g, self.average = (Generator(a.size, channels, a.latent, a.depth, a.style_maps) for _ in range(2))
        self.d = Discriminator(a.size, partners)
        self.e, self.average_e = (Encoder(a.size, partners, a.latent) for _ in range(2))
        files = {"normals": a.normals_network, "landmarks": a.landmark_network, "identity": a.identity_network}
        self.judges = Judges(a.size, files, landmark_mean)
        for module in (self.g, self.average, self.d, self.e, self.average_e, self.judges.own):
            channels_last(module)
        for module in (self.g, self.average, self.d, self.e, self.average_e, self.judges):
            module.to(device)
        self.average.load_state_dict(self.g.state_dict())
        self.average_e.load_state_dict(self.e.state_dict())
        self.augment = Augmentation(a.augment_target, a.augment_length)
        self.paths, self.codes = PathLength(self.g.log - 1), CodeBank(a.latent)
        lazy = {n: every / (every + 1) for n, every in (("g", a.path_every), ("d", 16))}     # correction for lazy steps
        adam = torch.optim.Adam
        mapping = list(self.g.style.parameters())
        own = {id(p) for p in mapping}
        rest = [p for p in self.g.parameters() if id(p) not in own]
        self.og = adam([{"params": rest}, {"params": mapping}, {"params": list(self.e.parameters())}],
                       betas=(a.momentum, 0.99 ** lazy["g"]))
        self.od = adam(self.d.parameters(), betas=(0.0, 0.99 ** lazy["d"]))
        self.oj = adam(self.judges.own.parameters(), betas=(0.9, 0.99))
        self.lazy = lazy
        self.set_rates(a.rate)
        self.parts = {"g": self.g, "ge": self.average, "d": self.d, "e": self.e, "ee": self.average_e, "judges": self.judges.own,
                      "og": self.og, "od": self.od, "oj": self.oj, "codes": self.codes}
        self.step = self.seen = 0
        self.layers = [2 ** ((k + 5) // 2) for k in range(self.g.layer_count)]
        distributed.broadcast(torch.nn.ModuleList([self.g, self.average, self.d, self.e, self.average_e, self.judges]), world)

    def set_rates(self, rate, renderer=1.0):
        """Learning rates of all parts; `renderer`: its own, relative (0 while its partners learn about it)."""
        encoder = rate * self.lazy["g"]
        for group, value in zip(self.og.param_groups, (encoder * renderer, encoder * renderer * self.a.mapping_rate, encoder)):
            group["lr"] = value
        self.od.param_groups[0]["lr"], self.oj.param_groups[0]["lr"] = rate * self.lazy["d"], rate / 2

    def draw(self):
        return Draw(self.a.seed, self.step, self.device, self.rank, self.world, self.g.rows)

    def load(self, path):
        asked = {o: [(g["lr"], g["betas"]) for g in o.param_groups] for o in (self.og, self.od, self.oj)}
        state = runs.resume(path, self.parts, ["it", "seen", "augment", "paths"], self.settings, "train-gar", self.rank, self.device)
        for optimiser, values in asked.items():      # the rates asked for now, not the saved ones
            for group, (rate, betas) in zip(optimiser.param_groups, values):
                group["lr"], group["betas"] = rate, betas
        self.step, self.seen, self.augment.probability = state["it"], state["seen"], state["augment"]
        self.paths.means = state["paths"].cpu()

    def start_from(self, path):
        """Begin with the networks of a state of the same or a smaller picture size, or with the renderer of a weight file."""
        if path.endswith(".safetensors"):
            found = load_gar_file(path).to(self.device).state_dict()
            for generator in (self.g, self.average):
                grow(generator, None, found, None)
            self.average.load_state_dict(self.g.state_dict())
            return
        state = runs.read(path, ["g", "ge", "d", "e", "seen"], "the state.pt of train-gar (--start-from)", self.device)
        for generator, name in ((self.g, "g"), (self.average, "ge")):
            grow(generator, self.d, state[name], state["d"])
        self.average.load_state_dict(self.average.state_dict() | {k: v for k, v in self.g.state_dict().items()
                                                                  if k not in state["ge"]})
        runs.load_into({"e": self.e, "ee": self.average_e}, {"ee": state["e"], **state}, path)
        if "judges" in state:
            self.judges.own.load_state_dict(state["judges"], strict=False)
        self.seen = state["seen"]

    def save(self, folder):
        def half(module):
            return {k: v.half() for k, v in module.state_dict().items()}
        averaged = {"g": half(self.average), "e": half(self.average_e)}
        state = {n: p.state_dict() for n, p in self.parts.items()}
        for tensors in (*averaged.values(), *(state[n] for n in ("g", "d", "e", "judges"))):
            runs.check_weights(tensors, self.step)
        runs.write(os.path.join(folder, "ema.pt"), averaged | {
            "seen": self.seen, "channels": list(self.g.channels.items()), "partner_channels": list(partner_channels(self.a).items()),
            "latent": self.a.latent})
        runs.write(os.path.join(folder, "state.pt"), state | {
            "it": self.step, "seen": self.seen, "augment": self.augment.probability, "paths": self.paths.means,
            "settings": self.settings})

    def optimise(self, optimiser, loss):
        optimiser.zero_grad()
        loss.backward()
        own = [p for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
        distributed.average_gradients(own, self.world)      # what had no part stays as it is, as in one process
        optimiser.step()

    def random_styles(self, count, draw):
        """w+ of random z, some with two styles mixed, `count` over all processes."""
        first, second = (self.g.style(draw.normal(count, self.a.latent)) for _ in range(2))
        return mix_styles(first, second, draw, self.a.mixing)

    def noise(self, draw, *counts):
        """Noise maps for parts of a batch: every process has its share of each part, not of the whole."""
        return [torch.cat(maps) for maps in zip(*(draw.noise(count, self.layers) for count in counts))]

    def amp(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.a.bf16)

    def discriminate(self, material, draw):
        """One step of the discriminator: photos with their fitted normals against renders of fitted and mixed ones."""
        a, b = self.a, self.a.batch
        x, n, _ = material.draw("portraits", b, draw)
        with torch.no_grad(), self.amp():
            n2 = torch.cat([material.draw("mixed", b // 2, draw)[0], material.draw("portraits", b // 2, draw)[1]])
            styles = torch.cat([self.random_styles(b // 2, draw) for _ in range(2)])
            fake = self.g(styles, pyramid(n2), self.noise(draw, b // 2, b // 2))
        with self.amp():
            real_score, fake_score = self.d(self.augment(x, n, draw)), self.d(self.augment(fake, n2, draw))
            loss = F.softplus(fake_score).mean() + F.softplus(-real_score).mean()
        self.optimise(self.od, loss)
        if a.augment_target:
            self.augment.adapt(distributed.mean(real_score.sign().mean().item(), self.world), b)
        if self.step // a.judge_every % 16 == 0:
            pair = self.augment(x, n, draw)      # the resampling itself has no second derivative on every device
            penalty = r1_penalty(lambda p, m: self.d(torch.cat([p, m], 1)), pair[:, :3], pair[:, 3:])
            self.optimise(self.od, penalty * 8 * a.r1 * a.size ** 2 / 4)
        return {"D": loss.item(), "augment": self.augment.probability}

    def generate(self, material, draw):
        """One step of renderer, encoder and readers."""
        a, b = self.a, self.a.batch
        turned, crops = material.has("turned"), material.has("crops")
        share = {"portraits": b - b // 4 * (turned + crops), "turned": b // 4 * turned, "crops": b // 4 * crops}
        x, n, l = material.draw("portraits", share["portraits"], draw)
        known, inside, seen = [(x, n, l)], [torch.ones_like(x[:, :1])], [(x, n)]
        if turned:
            # Drawn with the code of the photo that was turned: what has changed is in the normals alone.
            t, tn, tl, *photo = material.draw_turned(share["turned"], draw)
            known.append((t, tn, tl))
            seen.append(photo)
            inside.append((tn.abs().sum(1, keepdim=True) > 0).float())
        if crops:
            c, cn, cl, cm = material.draw("crops", share["crops"], draw)
            known.append(((c * cm).expand(-1, 3, -1, -1), cn, cl))
            seen.append(known[-1][:2])
            inside.append(cm)
        photos, fitted, points = (torch.cat(v) for v in zip(*known))
        seen = torch.cat([torch.cat(v) for v in zip(*seen)], 1)
        inside = torch.cat(inside)
        weight = feature_weight(points, a.size, a.feature_weight)
        free = b // 2 if a.adversarial else b // 4
        n2, l2 = material.draw("mixed", free, draw)
        for v in (n2, l2):      # the first two of every four share their normals: another z, same landmarks
            v[1::4] = v[0::4]
        n3, l3 = material.draw("wide", b // 4, draw, pairs=True)
        judged_w = self.random_styles(free, draw)
        wide_w = self.random_styles(b // 8, draw).repeat_interleave(2, 0)      # one z for both members of a pair
        noise = self.noise(draw, free, b // 4, *filter(None, share.values()))
        self.d.requires_grad_(False)
        self.judges.own.requires_grad_(False)
        terms = {}
        with self.amp():
            w = self.e(seen)
            pictures = self.g.pictures(torch.cat([judged_w, wide_w, w[:, None].expand(-1, self.g.rows, -1)]),
                                       pyramid(torch.cat([n2, n3, fitted])), noise)
            judged, wide, rebuilt = pictures[-1].split([len(n2), len(n3), len(fitted)])
            own = rebuilt[:len(x)]
            if a.level_weight:      # the levels below the last are pictures of their own, with which a fit can begin
                known_colours = len(x) + (len(t) if turned else 0)
                terms["levels l1"] = coarse_difference([p[len(n2) + len(n3):][:known_colours] for p in pictures],
                                                       *(v[:known_colours] for v in (photos, inside, weight)))
            terms["l1"] = ((own - x).abs() * weight[:len(x)]).mean()
            features = self.d.features(torch.cat([own, n], 1))
            with torch.no_grad():
                real = self.d.features(torch.cat([x, n], 1))
            terms["match"] = sum((u - v).abs().mean() for u, v in zip(real[1:-1], features[1:-1])) / (len(real) - 2)
            if a.adversarial:
                terms["adv"] = F.softplus(-self.d(self.augment(torch.cat([judged, own]), torch.cat([n2, n]), draw))).mean()
            at = len(x)
            if turned:
                views = slice(at, at + len(t))
                terms["turned l1"] = inside_mean((rebuilt[views] - t).abs(), inside[views], weight[views])
                at += len(t)
            if crops:
                terms["crop l1"] = inside_mean((luminance(rebuilt[at:]) - c).abs(), cm, weight[at:])
            free, normals, landmarks = torch.cat([judged, wide]), torch.cat([n2, n3]), torch.cat([l2, l3])
            terms["shape fake"] = masked_difference(self.judges.normals(free), normals)
            found = self.judges.landmarks(free)
            terms["points fake"] = landmark_difference(found, landmarks)
            terms["other z"] = landmark_difference(found[0:len(n2):4], found[1:len(n2):4])
            person = F.normalize(self.judges.identity(wide), dim=1)
            terms["person moved"] = (person[0::2] - person[1::2]).square().sum(1).mean()
            spread = w.square().mean()
            self.codes.add(distributed.gather(w[:len(x)].detach().float().cpu(), self.world))
            terms["codes"] = self.codes.loss(self.g.style(draw.everywhere(CODES, a.latent)))
        rebuilt_loss = (terms["l1"] + terms["match"] / 2 + a.turned_weight * terms.get("turned l1", 0.0)
                        + a.level_weight * terms.get("levels l1", 0.0) + a.crop_weight * terms.get("crop l1", 0.0))
        loss = (a.adversarial * terms.get("adv", 0.0) + a.reconstruction * rebuilt_loss
                + a.consistency * terms["shape fake"] + a.landmark_weight * (terms["points fake"] + terms["other z"])
                + a.identity_weight * terms["person moved"] + a.codes_weight * terms["codes"] + 1e-3 * spread)
        self.optimise(self.og, loss)
        self.d.requires_grad_(True)
        self.judges.own.requires_grad_(True)
        with self.amp():
            lessons = self.judges.lessons(photos, fitted, points, inside, wide.detach(), self.step % a.shape_every == 0)
        if lessons:
            self.optimise(self.oj, sum(lessons.values()))
        if a.path_weight and self.step % a.path_every == 0:
            terms["path"] = self.path_step(material, draw)
        terms |= lessons
        return dict(zip(terms, torch.stack([torch.as_tensor(v, device=self.device).detach().float() for v in terms.values()]).tolist()))

    def path_step(self, material, draw):
        count = max(2 * self.world, self.a.batch // self.a.path_shrink)
        n, _ = material.draw("mixed", count, draw)
        w = self.random_styles(count, draw)
        penalty = self.paths.penalty(self.g, w, pyramid(n), draw.noise(count, self.layers),
                                     draw.normal(count, 3, self.a.size, self.a.size),
                                     lambda value: distributed.mean(value, self.world))
        self.optimise(self.og, penalty * self.a.path_weight * self.a.path_every)
        return penalty.item()

    def advance(self, material):
        """One step of everything; the losses, means over the processes."""
        draw = self.draw()
        losses = {}
        if self.a.rest:
            self.set_rates(self.a.rate, float(self.step >= self.a.rest))
        if self.a.adversarial and self.step % self.a.judge_every == 0:
            losses = self.discriminate(material, draw)
        losses |= self.generate(material, draw)
        with torch.no_grad():
            pairs = [*zip(self.average.parameters(), self.g.parameters()), *zip(self.average_e.parameters(), self.e.parameters())]
            for u, v in pairs:
                u.lerp_(v, 1 - 0.5 ** (self.a.batch / self.a.average))
        self.step += 1
        self.seen += self.a.batch
        return {k: distributed.mean(v, self.world) for k, v in losses.items()}

    def sheet(self, material, columns=8):
        """A picture of where training stands."""
        def row(x):
            x = x.expand(-1, 3, -1, -1)
            return np.hstack([((p.float().cpu().numpy().transpose(1, 2, 0) + 1) * 127.5).clip(0, 255) for p in x])
        first, straight = torch.arange(columns), torch.zeros(columns, dtype=torch.bool, device=self.device)
        z = torch.randn(columns, self.a.latent, generator=torch.Generator().manual_seed(1)).to(self.device)
        g, style = self.average, self.average.style(z)

        def rebuilt(photo, normals):
            return g(self.average_e(torch.cat([photo, normals], 1)), pyramid(normals))
        with torch.no_grad():
            x, n, _ = material.batch("portraits", first, straight)
            o, _ = material.batch("wide", first, straight)
            rows = [x, n, rebuilt(x, n), g(style, pyramid(n)), g(style[:1].expand(columns, -1), pyramid(n)),
                    o, g(style, pyramid(o)), F.interpolate(self.judges.normals(x), self.a.size)]
            for group in ("turned", "crops"):
                if material.has(group):
                    p, m, *rest = material.batch(group, first, straight)
                    p = (p * rest[1]).expand(-1, 3, -1, -1) if group == "crops" else p
                    rows += [p, rebuilt(p, m)]
        return np.vstack([row(r) for r in rows]).astype(np.uint8)[:, :, ::-1]


def check_arguments(a, world):
    """ValueError where sizes do not go together."""
    if a.size not in SIDES[2:]:
        raise ValueError(f"--size {a.size}: the renderer's picture has a side of {', '.join(map(str, SIDES[2:]))}")
    if a.batch < 1 or a.batch % (16 * world):
        raise ValueError(f"--batch {a.batch}: it has to be a multiple of {16 * world}, 16 times the number of processes")
    levels = SIDES.index(a.size) + 1
    if a.channels and len(a.channels) < levels:
        raise ValueError(f"--channels names {len(a.channels)} levels; a picture of {a.size} has {levels}: "
                         f"{', '.join(map(str, SIDES[:levels]))}")
    if min(a.channels or [a.base]) < 1:
        raise ValueError("--channels and --base have to be positive")


def train(a):
    rank, world = distributed.start()
    check_arguments(a, world)
    os.makedirs(a.out, exist_ok=True)
    device = distributed.device()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    folder, turned = os.path.join(a.out, f"material{a.size}"), a.turned.split(",") if a.turned else ()
    if rank == 0:
        prepare(folder, a.size, a.head, a.portraits, a.cache, a.crops, turned, a.mixed, a.wide)
    distributed.agree(False, world)      # the others wait for the arrays
    mean = (HeadModel(a.head).landmark_mean[:, :2] - [0, CENTRE_Y_MM]) / HALF_MM
    settings = runs.settings(a, world, device, free=("steps",))
    trainer = Trainer(a, device, rank, world, torch.from_numpy(mean).float(), settings)
    state = os.path.join(a.out, "state.pt")
    if os.path.exists(state):
        trainer.load(state)
    elif a.start_from:
        trainer.start_from(a.start_from)
    last = a.steps or math.inf
    if not runs.nothing_to_do(a.out, trainer.step, last, world, rank):
        run(a, trainer, Material(folder, device, wanted_groups(a.crops, turned)), last)
    distributed.stop()


def run(a, trainer, material, last):
    """Steps until `last`, --minutes or OUT/stop."""
    limits = runs.Limits(a.out, last, a.minutes or math.inf, trainer.world)
    rank, log, sums, done = trainer.rank, os.path.join(a.out, "losses.jsonl"), {}, False
    while not done:
        losses = trainer.advance(material)
        runs.check_losses(losses, trainer.step)
        for k, v in losses.items():
            total, times = sums.get(k, (0.0, 0))
            sums[k] = total + v, times + 1
        done = limits.reached(trainer.step)
        if rank == 0 and (trainer.step % a.report == 0 or done):
            means, sums = {k: total / times for k, (total, times) in sums.items()}, {}
            print(trainer.step, "seen", trainer.seen, " ".join(f"{k} {v:.3f}" for k, v in means.items()), flush=True)
            curves.record(log, trainer.step, means)
        if rank == 0 and (trainer.step % a.save == 0 or done):
            trainer.save(a.out)
            cv2.imwrite(os.path.join(a.out, "sample.png"), trainer.sheet(material))
            curves.draw(log, os.path.join(a.out, "losses.png"))


def whole_numbers(text):
    return [int(n) for n in text.split(",")]


def arguments(argv=None):
    parser = argparse.ArgumentParser(prog="train-gar", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", required=True, help="head model (.npz)")
    parser.add_argument("--portraits", required=True, help="aligned colour portraits with fits")
    parser.add_argument("--crops", help="grey crops with fits: real mouths, blinks and yaw in luminance")
    parser.add_argument("--turned", help="files of `turned`, joined by commas: views beyond the portraits")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--out", required=True, help="folder for checkpoints")
    parser.add_argument("--start-from", help="state.pt of the same or a smaller size to begin with, or a renderer's weight file "
                        "(.safetensors)")
    parser.add_argument("--size", type=int, default=64, help="side of the rendered picture")
    parser.add_argument("--minutes", type=float, default=0, help="stop after this time (0: never)")
    parser.add_argument("--steps", type=int, default=0, help="stop at this step (0: never)")
    parser.add_argument("--batch", type=int, default=16, help="over all processes; a multiple of 16 times their number")
    parser.add_argument("--base", type=int, default=128, help="channels at 4x4; halved from 32x32 on")
    parser.add_argument("--least", type=int, default=8, help="fewest channels of a level")
    parser.add_argument("--channels", type=whole_numbers, help="channels at 4, 8, 16 ... px instead, "
                        "joined by commas")
    parser.add_argument("--partner-base", type=int, default=0, help="channels at 4x4 of discriminator and encoder (0: as the renderer)")
    parser.add_argument("--latent", type=int, default=256)
    parser.add_argument("--depth", type=int, default=4, help="layers of the mapping network")
    parser.add_argument("--style-maps", type=int, default=8, help="channels of the normal injection's first layer (3: none)")
    parser.add_argument("--rate", type=float, default=0.001, help="Adam's rate; the readers learn at half of it")
    parser.add_argument("--rest", type=int, default=0, help="first steps in which the renderer rests and its partners learn about it")
    parser.add_argument("--adversarial", type=float, default=1.0, help="weight of the game (0: the discriminator rests and "
                        "only its features are compared)")
    parser.add_argument("--judge-every", type=int, default=1, help="steps between the discriminator's")
    parser.add_argument("--codes-weight", type=float, default=1.0, help="weight of random codes being like the photos' codes")
    parser.add_argument("--momentum", type=float, default=0.0, help="Adam's first beta for the renderer (0 while it plays the game)")
    parser.add_argument("--mapping-rate", type=float, default=10.0, help="rate of the mapping network, relative")
    parser.add_argument("--r1", type=float, default=1e-4, help="R1 weight at 1 px, times size squared")
    parser.add_argument("--path-weight", type=float, default=2.0)
    parser.add_argument("--path-every", type=int, default=4)
    parser.add_argument("--path-shrink", type=int, default=4, help="the path-length batch is this much smaller")
    parser.add_argument("--mixing", type=float, default=0.5, help="probability of two styles in one random render")
    parser.add_argument("--augment-target", type=float, default=0.6, help="mean sign of real scores to hold (0: no augmentation)")
    parser.add_argument("--augment-length", type=float, default=200_000, help="photos in which augmentation may rise from 0 to 1")
    parser.add_argument("--consistency", type=float, default=3.0, help="weight of normal consistency")
    parser.add_argument("--shape-every", type=int, default=1, help="steps between the lessons of the normals' reader")
    parser.add_argument("--landmark-weight", type=float, default=0.1, help="weight of landmarks read off the renders")
    parser.add_argument("--identity-weight", type=float, default=0.3, help="weight of identity under another pose")
    parser.add_argument("--reconstruction", type=float, default=12.0, help="weight of the photo's reconstruction")
    parser.add_argument("--feature-weight", type=float, default=2.0, help="how much more the eyes and the mouth weigh in it")
    parser.add_argument("--turned-weight", type=float, default=0.5, help="turned views, relative to the photos")
    parser.add_argument("--level-weight", type=float, default=0.5, help="pictures of the levels from 64 px to below the last, relative to "
                        "the photos")
    parser.add_argument("--crop-weight", type=float, default=0.5, help="grey crops, relative to the photos")
    parser.add_argument("--average", type=float, default=2500, help="photos after which half of the averaged weights is renewed")
    for judge in ("normals", "landmark", "identity"):
        parser.add_argument(f"--{judge}-network", help=f"TorchScript {judge} reader to use instead of training one (see `judges`)")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 where it is quick")
    parser.add_argument("--mixed", type=int, default=3000, help="normal maps mixed from the fits")
    parser.add_argument("--wide", type=int, default=4000, help="normal maps beyond the fits")
    parser.add_argument("--report", type=int, default=50, help="steps between printed losses")
    parser.add_argument("--save", type=int, default=250, help="steps between checkpoints and pictures")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv=None):
    train(arguments(argv))


if __name__ == "__main__":
    main()
