"""z must reach what the encoder found: the mapping network is fitted to the distribution of the photos' codes."""
import torch


class CodeBank:
    """The last `size` codes w of photos; `loss` is their energy distance to codes of random z (0: same distribution)."""

    def __init__(self, latent, size=512):
        self.codes, self.filled, self.at = torch.zeros(size, latent), 0, 0

    def add(self, w):
        """w [B,L] over all processes, float32 on the CPU, without gradient."""
        for code in torch.as_tensor(w):
            self.codes[self.at] = code
            self.at = (self.at + 1) % len(self.codes)
            self.filled = min(self.filled + 1, len(self.codes))

    def loss(self, w):
        """w [N,L] of random z -> scalar, differentiable."""
        known = self.codes[:self.filled].to(w.device)
        if self.filled < 2:
            return w.new_zeros(())

        n, m = len(w), len(known)
        among = torch.cdist(known, known).sum() / (m * (m - 1))
        return 2 * torch.cdist(w, known).mean() - torch.cdist(w, w).sum() / (n * (n - 1)) - among

    def state_dict(self):
        return {"codes": self.codes, "filled": self.filled, "at": self.at}

    def load_state_dict(self, state):
        self.codes, self.filled, self.at = state["codes"].cpu(), state["filled"], state["at"]
