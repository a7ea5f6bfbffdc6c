"""The model and the data of `make_trainer_state.py` and `make_trainer_events.py`."""
import torch

torch.manual_seed(3)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def forward(self, x, labels):
        loss = ((self.layer(x) - labels) ** 2).mean()
        return {"loss": loss, "logits": self.layer(x)}


data = [{"x": torch.randn(4), "labels": torch.randn(1)} for _ in range(64)]
