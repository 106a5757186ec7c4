"""What keeps the adversarial game stable: style mixing, lazy R1, path length on w and on every normal map."""
import torch


def mix_styles(w, other, draw, probability):
    """w+ [B,rows,L] of two codes [B,L]: with `probability` the rows from a random crossover on come from `other`."""
    def rows_of(code):
        return code[:, None].expand(-1, draw.rows, -1)
    n = draw.count(len(w))
    crossover = 1 + draw.integers(n, draw.rows - 1)
    crossover = torch.where(draw.uniform(n) < probability, crossover, draw.rows)
    first = torch.arange(draw.rows, device=w.device)[None] < crossover[:, None]
    return torch.where(first[..., None], rows_of(w), rows_of(other))


def r1_penalty(judge, photo, normals):
    """Mean squared gradient of the discriminator's score at real photos; differentiable."""
    leaf = photo.clone().requires_grad_(True)
    gradient, = torch.autograd.grad(judge(leaf, normals).sum(), leaf, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


class PathLength:
    """Published path-length regularisation: a random direction in the picture should answer to a step of constant length
    in w, and to one of constant length in each normal map of the pyramid.

    `means`: running mean length of w first, then of the maps from 4 px up; NaN until first seen.
    """

    def __init__(self, levels, decay=0.01):
        self.means, self.decay = torch.full((1 + levels,), torch.nan), decay

    def penalty(self, generator, w_plus, normals, noise, direction, average=lambda value: value):
        """w_plus [B,rows,L], normals {resolution: map}; `average` joins a mean over the processes that share the batch."""
        w_plus = w_plus.detach().requires_grad_(True)
        leaves = {r: m.detach().requires_grad_(True) for r, m in normals.items()}
        picture = generator(w_plus, leaves, noise)
        along = (picture * direction).sum() / picture.shape[-1]
        gradients = torch.autograd.grad(along, [w_plus, *(leaves[r] for r in sorted(leaves))], create_graph=True)
        lengths = [(gradients[0].square().sum(2).mean(1) + 1e-12).sqrt()]
        lengths += [(g.square().sum((1, 2, 3)) + 1e-12).sqrt() for g in gradients[1:]]
        loss = 0.0
        for k, length in enumerate(lengths):
            seen = torch.tensor(average(length.detach().mean().item()))
            self.means[k] = seen if self.means[k].isnan() else self.means[k].lerp(seen, self.decay)
            share = 1.0 if k == 0 else 1 / (len(lengths) - 1)
            loss = loss + share * (length - self.means[k].to(length.device)).square().mean()
        return loss
