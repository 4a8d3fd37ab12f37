"""Write tests/references: what PyTorch computes, in float64, for the tests to compare with.

    pip install -e .[references]
    python scripts/make_references.py

PyTorch is needed here only; the tests read the files. Their
content is described in `dlexp.conformance.reference`, and in reference_trainings.py for whole
trainings. There, dlexp gives the initial weights and the order of the samples; all other numbers
are PyTorch's. A comment explains each place where its definitions differ.
"""

import json
from pathlib import Path

import numpy as np
import torch
from reference_trainings import trainings
from torch import nn

from dlexp.plugins import discovery

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "references"
SOURCE = f"PyTorch {torch.__version__.partition('+')[0]}"
STEPS = 200


def save(name, rtol, about, **arrays):
    """Write one small file: compressed, no pickle."""
    path = FOLDER / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"source": SOURCE, "rtol": rtol, **about})
    np.savez_compressed(
        path, about=text, **{k: np.asarray(v, np.float64) for k, v in arrays.items()}
    )


def flat(tensors):
    """All numbers in one row."""
    return torch.cat([t.detach().reshape(-1) for t in tensors]).numpy().copy()


# Optimizers. Hyper-parameters differ from the defaults, to detect one that is not used. The
# learning rate changes at every step, if PyTorch's definition is the same (its momentum keeps the
# rate outside the velocity: constant there).

FIELDS = {
    "sgd": {"lr": 0.05},
    "momentum": {"lr": 0.02, "momentum": 0.8},
    "nesterov": {"lr": 0.02, "momentum": 0.8},
    "adagrad": {"lr": 0.05, "eps": 1e-3},
    "rmsprop": {"lr": 0.005, "decay": 0.95, "eps": 1e-3},
    "adam": {"lr": 0.02, "beta1": 0.8, "beta2": 0.99, "eps": 1e-3},
}


def torch_optimizer(name, params, f):
    """PyTorch's optimizer of that name with our fields `f`."""
    if name in ("sgd", "momentum", "nesterov"):
        return torch.optim.SGD(
            params, f["lr"], momentum=f.get("momentum", 0.0), nesterov=name == "nesterov"
        )
    if name == "adagrad":
        return torch.optim.Adagrad(params, f["lr"], eps=f["eps"])
    if name == "rmsprop":
        return torch.optim.RMSprop(params, f["lr"], alpha=f["decay"], eps=f["eps"])
    return torch.optim.Adam(params, f["lr"], betas=(f["beta1"], f["beta2"]), eps=f["eps"])


def optimizers():
    """200 steps of regression: a 2-3-1 network, 30 noisy samples, batches of 10, 13 parameters."""
    for name, fields in FIELDS.items():
        torch.manual_seed(0)
        x = torch.randn(30, 2)
        y = (torch.sin(2 * x[:, :1]) + x[:, 1:] ** 2) + 0.1 * torch.randn(30, 1)
        net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        params = list(net.parameters())
        optimizer = torch_optimizer(name, params, fields)
        weights, gradients, rates = [flat(params)], [], []
        for t in range(STEPS):
            rate = (
                fields["lr"]
                if "momentum" in fields
                else fields["lr"] * (0.55 + 0.45 * np.cos(t / 20))
            )
            optimizer.param_groups[0]["lr"] = rate
            batch = torch.arange(10 * t, 10 * t + 10) % 30
            optimizer.zero_grad()
            nn.functional.mse_loss(net(x[batch]), y[batch]).backward()
            gradients.append(flat(p.grad for p in params))
            optimizer.step()
            weights.append(flat(params))
            rates.append(rate)
        save(
            f"optimizer/{name}",
            1e-13,
            {"fields": fields},
            gradients=gradients,
            lr=rates,
            weights=weights,
        )


def layers():
    """Four passes forward and back through each activation, and through batch normalization."""
    functions = {"relu": nn.ReLU(), "sigmoid": nn.Sigmoid(), "tanh": nn.Tanh()}
    for name, function in functions.items():
        torch.manual_seed(1)
        passes = [one_pass(function, 3 * torch.randn(5, 4)) for _ in range(4)]
        eval_x = torch.linspace(-30, 30, 24).reshape(6, 4)
        save(
            f"activation/{name}",
            1e-14,
            {"fields": {}},
            **stacked(passes),
            eval_x=eval_x,
            eval_y=function(eval_x),
        )
    torch.manual_seed(2)
    fields = {"momentum": 0.85, "eps": 1e-4}
    layer = nn.BatchNorm1d(4, eps=fields["eps"], momentum=1 - fields["momentum"])
    with torch.no_grad():
        layer.weight.copy_(torch.randn(4))
        layer.bias.copy_(torch.randn(4))
    gamma, beta = layer.weight.detach().clone(), layer.bias.detach().clone()
    # PyTorch records the unbiased variance, the chapter and dlexp the biased one, which is (n −
    # 1)/n times as large. The two running values, starting at zero and not at one, keep that ratio,
    # so PyTorch's is scaled by it, in evaluation too.
    n, eval_x = 8, 2 * torch.randn(6, 4)
    layer.running_var.zero_()
    passes = [one_pass(layer, 1 + 2 * torch.randn(n, 4), (n - 1) / n) for _ in range(4)]
    layer.running_var.mul_((n - 1) / n)
    start = {
        "start_gamma": gamma,
        "start_beta": beta,
        "start_mean": torch.zeros(4),
        "start_var": torch.zeros(4),
    }
    seen = {"eval_x": eval_x, "eval_y": layer.eval()(eval_x).detach()}
    save("normalization/batch_norm", 1e-13, {"fields": fields}, **stacked(passes), **start, **seen)


def one_pass(function, x, biased=1.0):
    """Output and gradients of one pass; also the running values of batch normalization."""
    x.requires_grad_()
    y = function(x)
    dy = torch.randn_like(y)
    y.backward(dy)
    arrays = {"x": x.detach(), "y": y.detach(), "dy": dy, "dx": x.grad}
    if isinstance(function, nn.BatchNorm1d):
        arrays |= {"d_gamma": function.weight.grad.clone(), "d_beta": function.bias.grad.clone()}
        arrays |= {
            "after_mean": function.running_mean.clone(),
            "after_var": function.running_var * biased,
        }
        function.zero_grad()
    return arrays


def stacked(passes):
    """The passes on top of each other, by array."""
    return {name: torch.stack([p[name] for p in passes]) for name in passes[0]}


def initializers():
    """The standard deviations of torch.nn.init: Kaiming for He (ReLU), linear for the chapter's
    Xavier.
    """
    shapes = [(100, 30), (30, 100), (784, 50), (1, 10)]
    for name, activation in (("he", "relu"), ("xavier", "linear")):
        std = [nn.init.calculate_gain(activation) / fan_in**0.5 for fan_in, _ in shapes]
        # PyTorch draws with this one
        for (fan_in, fan_out), s in zip(shapes, std, strict=True):
            drawn = nn.init.kaiming_normal_(
                torch.empty(1000 * fan_out, fan_in), nonlinearity=activation
            ).std()
            assert abs(drawn / s - 1) < 0.03
        save(f"initializer/{name}", 1e-14, {"fields": {}}, shapes=shapes, std=std)


def schedules():
    """The factors of torch.optim.lr_scheduler; `total` makes both cut the run at the same steps."""
    lr = torch.optim.lr_scheduler
    total, w = 90, 9
    made = {
        "constant": ({}, lambda o: lr.ConstantLR(o, factor=1.0)),
        "step": (
            {"gamma": 0.3, "stages": 3},
            lambda o: lr.StepLR(o, step_size=total // 3, gamma=0.3),
        ),
        "cosine": (
            {"floor": 0.05},
            lambda o: lr.CosineAnnealingLR(o, T_max=total - 1, eta_min=0.05),
        ),
        "warmup_cosine": (
            {"warmup": 0.1, "floor": 0.05},
            lambda o: lr.SequentialLR(
                o,
                [
                    lr.LinearLR(o, start_factor=1 / w, total_iters=w - 1),
                    lr.CosineAnnealingLR(o, T_max=total - 1 - w, eta_min=0.05),
                ],
                milestones=[w],
            ),
        ),
    }
    for name, (fields, make) in made.items():
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        scheduler = make(optimizer)
        factors = []
        for _ in range(total):
            factors.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        save(f"schedule/{name}", 1e-12, {"fields": fields}, total=total, factors=factors)


def regularizers():
    """Penalties with autograd's gradients; AdamW's decay, isolated by a step without gradient."""
    torch.manual_seed(3)
    start = torch.randn(20)
    penalties = {
        "weight_decay": ({"strength": 0.03}, lambda w: 0.5 * 0.03 * w.square().sum()),
        "l1": (
            {"strength": 0.02},
            lambda w: 0.02 * nn.functional.l1_loss(w, torch.zeros(20), reduction="sum"),
        ),
        "decoupled_weight_decay": ({"strength": 0.3}, lambda w: 0 * w.sum()),
    }
    for name, (fields, penalty) in penalties.items():
        w = start.clone().requires_grad_()
        value = penalty(w)
        value.backward()
        shrunk = start.clone().requires_grad_()
        if name == "decoupled_weight_decay":
            shrunk.grad = torch.zeros(20)
            torch.optim.AdamW([shrunk], lr=0.1, weight_decay=fields["strength"]).step()
        arrays = {"value": value.detach(), "gradient": w.grad, "shrunk": shrunk.detach()}
        save(f"regularizer/{name}", 1e-14, {"fields": fields}, w=start, lr=0.1, **arrays)


def losses():
    """Softmax cross-entropy, its gradient, and logits so large that a simple softmax overflows."""
    torch.manual_seed(4)
    logits = torch.cat([3 * torch.randn(20, 10), 1e4 * torch.randn(4, 10)]).requires_grad_()
    labels = torch.arange(24) % 10
    loss = nn.functional.cross_entropy(logits, labels)
    loss.backward()
    arrays = {
        "logits": logits.detach(),
        "labels": labels,
        "loss": loss.detach(),
        "gradient": logits.grad,
    }
    save("softmax_cross_entropy", 1e-14, {}, **arrays)


def main():
    """Write every file."""
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    discovery.discover()
    optimizers()
    layers()
    initializers()
    schedules()
    regularizers()
    losses()
    for name, (about, arrays) in trainings():
        save(f"training/{name}", 1e-10, about, **arrays)
    size = sum(path.stat().st_size for path in FOLDER.rglob("*.npz"))
    print(f"{len(list(FOLDER.rglob('*.npz')))} files, {size / 1000:.0f} kB, from {SOURCE}")


if __name__ == "__main__":
    main()
