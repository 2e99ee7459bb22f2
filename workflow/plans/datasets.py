"The page on datasets needs no runs: it compares what the papers say with what the readers find."
READS = ('data/reported/datasets.csv',)
