"""An epoch of pictures: decoded anew every time, and read from the array that cache_images makes.

    python benchmarks/loading.py [DATASET_FOLDER_OR_ZIP]     Market-1501, for example; drawn people where none is given

Prints seconds for one epoch in shuffled batches of 64, the best of three for decoding and of five from the array, on all cores, and their ratio. Both sides give the same bytes."""
import os, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from reid_nb.data.drawn import draw_people
from reid_nb.data.images import cache_images, read_image
from reid_nb.data.loaders import make_loader, plan_shuffled
from reid_nb.data.real import read_market1501

HEIGHT, WIDTH, BATCH = 128, 64, 64


class Files(Dataset):
    "What public loaders do: open, decode, resize and convert each picture when its turn comes."
    def __init__(self, files): self.files = files
    def __len__(self): return len(self.files)
    def __getitem__(self, i): return torch.from_numpy(read_image(self.files[i], HEIGHT, WIDTH)).permute(2, 0, 1)


def best(f, times=5):
    "Least seconds of several runs, after one that warms caches."
    f()
    def once(): start = time.perf_counter(); f(); return time.perf_counter() - start
    return min(once() for _ in range(times))


def main():
    with tempfile.TemporaryDirectory() as tmp:
        os.environ.setdefault('REID_CACHE', tmp)
        records = read_market1501(sys.argv[1]) if len(sys.argv) > 1 else draw_people(Path(tmp)/'drawn', ids=400, cameras=4, per_camera=4)
        records = records[records.split == 'train'].reset_index(drop=True)
        start = time.perf_counter()
        images, _ = cache_images(records, HEIGHT, WIDTH)
        first = time.perf_counter() - start
        files, n, cores = records.image.tolist(), len(records), os.cpu_count()
        plan = lambda epoch: plan_shuffled(n, BATCH, 0, 0)

        def decode_processes(dl=DataLoader(Files(files), BATCH, num_workers=cores, persistent_workers=True, sampler=plan(0).ravel().tolist())):
            for x in dl: x.sum()
        def decode_threads():
            with ThreadPoolExecutor(cores) as pool:
                for rows in plan(0): torch.from_numpy(np.stack(list(pool.map(lambda i: read_image(files[i], HEIGHT, WIDTH), rows)))).sum()
        def from_array():
            for x, in make_loader(images, [], plan, seed=0): x.sum()
        def array_alone():
            for rows in plan(0): torch.from_numpy(np.asarray(images[rows])).sum()

        print(f'{n:,} pictures of {HEIGHT} x {WIDTH}, batches of {BATCH}, {cores} cores; decoding them once took {first:.2f} s')
        times = {'decode every epoch, worker processes': best(decode_processes, 3), 'decode every epoch, threads': best(decode_threads, 3),
                 'make_loader on the array': best(from_array), 'the array alone': best(array_alone)}
        slowest = times['decode every epoch, worker processes']
        for name, t in times.items(): print(f'{name:38} {t:7.3f} s   {slowest / t:6.1f} x')


if __name__ == '__main__': main()
