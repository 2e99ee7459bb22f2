"""Training's speed and memory, ours beside a plain PyTorch loop. `python benchmarks/training.py` writes training.md.

Each pair runs in fresh processes, in turn, on the same drawn people and the same number of threads; the best of three passes counts.
`plain` is what most projects have: torchvision's ImageFolder, v2 transforms on each image, a DataLoader with as many workers as there
are cores, and a loop of twenty lines. Compute-bound: a network that takes far longer than its images. Loader-bound: an epoch of
batches with nothing done to them. CPU time is user and system time of a process and its workers, over the images: it moves less than
the clock when others use the machine too."""
import json, os, resource, subprocess, sys, tempfile, time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
N, BATCH, H, W = 40 * 16, 64, 128, 64


def cpu_seconds():
    return sum(getattr(resource.getrusage(w), k) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN) for k in ('ru_utime', 'ru_stime'))

def peak_mib(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def plain_loader(folder, workers):
    import torch
    from reid_nb.core import import_torchvision
    import_torchvision()
    from torchvision import datasets
    from torchvision.transforms import v2
    how = v2.Compose([v2.Resize((H, W)), v2.RandomCrop((H, W), padding=10), v2.RandomHorizontalFlip(), v2.ToImage(),
                      v2.ToDtype(torch.float32, scale=True), v2.Normalize((.485, .456, .406), (.229, .224, .225)), v2.RandomErasing(.5)])
    return torch.utils.data.DataLoader(datasets.ImageFolder(folder, how), BATCH, shuffle=True, drop_last=True, num_workers=workers,
                                       persistent_workers=workers > 0)

def our_loader(folder, workers):
    from functools import partial
    from reid_nb.data.images import cache_images
    from reid_nb.data.loaders import make_loader, plan_pk
    from reid_nb.data.records import class_labels
    from reid_nb.data.transforms import make_augmentation
    from reid_nb.data.records import load_records
    records = load_records(folder)
    images, label = cache_images(records, H, W)[0], class_labels(records)
    plan = partial(plan_pk, label, records.camid, 16, 4, 0)
    return make_loader(images, [label, np.arange(len(label))], plan, 0, make_augmentation('bag_of_tricks', H, W), workers)


def load(loader):
    for _ in loader: pass                                               # the first pass starts workers and fills caches
    best, n = np.inf, 0
    for _ in range(3):
        start, n = time.perf_counter(), 0
        for x, *_ in loader: n += len(x)
        best = min(best, time.perf_counter() - start)
    return n / best


def loop(folder, backbone):
    "A plain PyTorch loop: images a second, the share of the time spent waiting for the loader."
    import torch
    from reid_nb.backbones import ReIDModel, make_backbone
    from reid_nb.losses import smoothed_cross_entropy, triplet_loss
    torch.manual_seed(0)
    model, loader = ReIDModel(make_backbone(backbone), 40), plain_loader(folder, os.cpu_count())
    steps, best = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 3.5e-4, weight_decay=5e-4), (0, 0)
    for _ in range(3):
        start, waited, n, last = time.perf_counter(), 0., 0, time.perf_counter()
        for x, y in loader:
            waited += time.perf_counter() - last
            feature, logits = model(x)
            loss = smoothed_cross_entropy(logits, y, .1) + triplet_loss(feature, y)
            steps.zero_grad(); loss.backward(); steps.step(); loss.item()
            n, last = n + len(x), time.perf_counter()
        best = max(best, (n / (last - start), waited / (last - start)))
    return best

def ours(folder, backbone):
    import pandas as pd
    from reid_nb.data.records import load_records
    from reid_nb.training import train
    with tempfile.TemporaryDirectory() as out:
        train(load_records(folder), 'cpu', out, device='cpu', backbone=backbone, weights=None, epochs=3)
        h = pd.read_csv(Path(out)/'history.csv')
    row = h.loc[h.images_per_second.idxmax()]
    return row.images_per_second, row.loader_share


def one(what, folder, backbone):
    import torch
    torch.set_num_threads(int(os.environ.get('THREADS', os.cpu_count())))
    if 'loader' in what:
        rate, share = load((our_loader if 'ours' in what else plain_loader)(folder, int(what[-1]))), None
    else:
        cpu = cpu_seconds()
        rate, share = (ours if what == 'ours' else loop)(folder, backbone)
        return dict(rate=rate, share=share, mib=peak_mib(), cpu=(cpu_seconds() - cpu) / (3 * N))
    return dict(rate=rate, share=share, mib=peak_mib())


def main():
    from reid_nb.data.drawn import draw_people
    rows = {}
    with tempfile.TemporaryDirectory() as tmp:
        records = draw_people(Path(tmp)/'people', ids=40, cameras=4, per_camera=4, height=H, width=W)
        from reid_nb.data.records import save_records
        save_records(records.assign(split='train'), Path(tmp)/'people')
        for r in records.itertuples():                                  # ImageFolder wants a folder for each class
            to = Path(tmp)/'folders'/f'{r.pid:04d}'/Path(r.image).name
            to.parent.mkdir(parents=True, exist_ok=True); os.link(r.image, to)
        runs = [(w, '') for w in ('plain loader 0', f'plain loader {os.cpu_count()}', 'ours loader 0', 'ours loader 1')]
        runs += [(w, b) for b in ('mobilenet_v2', 'resnet18') for w in ('plain', 'ours')]
        for what, backbone in runs:
            folder = Path(tmp)/('folders' if 'plain' in what else 'people')
            env = os.environ | dict(REID_CACHE=f'{tmp}/cache')
            done = subprocess.run([sys.executable, __file__, what, str(folder), backbone], capture_output=True, text=True, env=env)
            if done.returncode: sys.exit(done.stderr)
            rows[what, backbone] = json.loads(done.stdout.splitlines()[-1])
            print(what, backbone, rows[what, backbone], flush=True)
    write(rows)


def write(rows):
    best = max(v['rate'] for (w, _), v in rows.items() if w.startswith('plain loader'))
    ours_, net = max(v['rate'] for (w, _), v in rows.items() if w.startswith('ours loader')), rows['ours', 'resnet18']['rate']
    lines = ['# Training', '', 'Written by `python benchmarks/training.py`; what is measured, and how, stands at its top. '
             f"{os.environ.get('THREADS', os.cpu_count())} thread(s) of a machine with {os.cpu_count()} cores, images of {H} x {W} in batches of {BATCH}.",
             '', '| | images/s | waiting for the loader | peak MiB | CPU ms an image |', '|---|---:|---:|---:|---:|']
    for (what, backbone), v in rows.items():
        share, cpu = (f"{v['share']:.1%}" if v['share'] is not None else ''), (f"{1000 * v['cpu']:.1f}" if 'cpu' in v else '')
        lines.append(f"| {what} {backbone} | {v['rate']:,.0f} | {share} | {v['mib']:,.0f} | {cpu} |")
    lines += ['', '| ratio | | asked |', '|---|---:|---:|', f'| loader, ours to plain | {ours_ / best:.1f} | 3 |',
              f'| our loader to what ResNet-18 consumes | {ours_ / net:.1f} | 3 |']
    for b in ('mobilenet_v2', 'resnet18'):
        a, p = rows['ours', b], rows['plain', b]
        lines += [f"| {b}, ours to plain, images/s | {a['rate'] / p['rate']:.2f} | 1.0 |",
                  f"| {b}, plain to ours, CPU time an image | {p['cpu'] / a['cpu']:.2f} | 1.0 |"]
    (HERE/'training.md').write_text('\n'.join(lines) + '\n')
    print('\n'.join(lines))


if __name__ == '__main__':
    if len(sys.argv) > 1: print(json.dumps(one(*sys.argv[1:])))
    else: main()
