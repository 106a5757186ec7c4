"""Adaptive augmentation of what the discriminator sees (Karras et al. 2020): photo and normals move together, the photo
alone changes colour. The probability rises while the discriminator knows the real photos too well."""
import torch
import torch.nn.functional as F


class Augmentation:
    """`probability` of each change; `target`: wanted mean sign of the scores of real photos."""

    def __init__(self, target=0.6, length=200_000, highest=0.8):
        self.probability, self.target, self.length, self.highest = 0.0, target, length, highest

    def adapt(self, sign, photos):
        """sign: mean sign of the discriminator's scores of `photos` real photos."""
        step = photos / self.length * (1 if sign > self.target else -1)
        self.probability = min(max(self.probability + step, 0.0), self.highest)

    def __call__(self, photo, normals, draw):
        """[B,3,S,S] each -> the pair [B,6,S,S] as the discriminator sees it."""
        pair = torch.cat([photo, normals], 1)
        if self.probability == 0:
            return pair
        n = draw.count(len(photo))
        moved, coloured = (draw.uniform(n) < self.probability for _ in range(2))
        scale, shift = torch.exp(draw.normal(n) * 0.15), draw.uniform(n, 2) * 0.25 - 0.125
        contrast, brightness = torch.exp(draw.normal(n) * 0.25), draw.normal(n) * 0.15
        saturation = torch.exp(draw.normal(n) * 0.3)
        scale, shift = torch.where(moved, scale, 1.0), torch.where(moved[:, None], shift, 0.0)
        theta = torch.zeros(len(photo), 2, 3, device=photo.device)
        theta[:, 0, 0] = theta[:, 1, 1] = scale
        theta[:, :, 2] = shift
        grid = F.affine_grid(theta, pair.shape, align_corners=False)
        pair = F.grid_sample(pair, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        colour, normals = pair[:, :3], pair[:, 3:]
        grey = colour.mean(1, keepdim=True)

        def each(v, neutral):
            return torch.where(coloured, v, neutral)[:, None, None, None]
        colour = grey + (colour - grey) * each(saturation, 1.0)
        colour = colour * each(contrast, 1.0) + each(brightness, 0.0)
        return torch.cat([colour, normals], 1)
