"""``tune``: a study on a candle file, without an engine."""

from typing import Annotated

import typer

from engine.cli.context import desk_of
from engine.domain.bots import Direction
from engine.domain.study_kinds import Method, ObjectiveKey, Pruner

Several = list[str] | None

RangeOption = Annotated[
    Several,
    typer.Option("--param-range", metavar="NAME=LOW:HIGH[:STEP]",
                 help="search this parameter here, or among values: mode=fast,slow; repeatable. "
                 "Without any, all parameters with bounds are searched"),
]  # fmt: skip
ParamOption = Annotated[
    Several,
    typer.Option("--param", metavar="NAME=VALUE", help="a parameter that stays; repeatable"),
]
FoldsOption = Annotated[
    int | None, typer.Option("--walk-forward", metavar="FOLDS", help="choose anew in every fold")
]


def tune(
    ctx: typer.Context,
    strategy: Annotated[str, typer.Option(help="a strategy's id: ma_cross")],
    candles: Annotated[str, typer.Option(help="a CSV or Parquet file, or an id of the library")],
    objective: Annotated[ObjectiveKey, typer.Option(help="what is wanted")] = ObjectiveKey.SHARPE,
    method: Annotated[Method, typer.Option(help="how it is searched")] = Method.TPE,
    trials: Annotated[int, typer.Option(help="of each fold; a grid tries all")] = 100,
    seed: Annotated[int, typer.Option(help="the same seed gives the same result")] = 1,
    param_range: RangeOption = None,
    param: ParamOption = None,
    params: Annotated[str, typer.Option(help="the same as a JSON object")] = "{}",
    walk_forward: FoldsOption = None,
    is_anchored: Annotated[
        bool, typer.Option("--anchored", help="every training begins with the first candle")
    ] = False,
    holdout: Annotated[float, typer.Option(help="the newest fraction, to judge by")] = 0.3,
    pruner: Annotated[Pruner, typer.Option(help="give bad trials up early")] = Pruner.NONE,
    min_trades: Annotated[int, typer.Option(help="in sample; fewer cannot win")] = 10,
    timeframe: Annotated[str | None, typer.Option(help="join the file's candles to these")] = None,
    cash: Annotated[str, typer.Option(help="the account at the start")] = "10000",
    fee_bps: Annotated[str, typer.Option(help="of the value, in basis points")] = "0",
    slippage_bps: Annotated[str, typer.Option(help="at every fill, in basis points")] = "0",
    direction: Annotated[Direction, typer.Option(help="sides taken")] = Direction.LONG,
    stop_loss: Annotated[str | None, typer.Option(help="fraction, as 0.02")] = None,
    take_profit: Annotated[str | None, typer.Option(help="fraction, as 0.05")] = None,
    trailing_stop: Annotated[str | None, typer.Option(help="fraction, as 0.03")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes; else the settings' Dask cluster, or one "
                                 "fewer than there are processors")
    ] = None,
    study: Annotated[
        str | None, typer.Option(metavar="NAME", help="keep it in the data folder: the same "
                                 "command goes on where it was")
    ] = None,
) -> None:  # fmt: skip
    """Search a strategy's parameters on a candle file. No engine is needed.

    Progress goes to stderr. Ctrl-C ends it; with --study nothing of it is lost.
    """
    from engine.cli.tune_run import Asked, run  # slow to load, and no other command needs it

    wanted = {
        "objective": objective, "method": method, "trials": trials, "seed": seed,
        "pruner": pruner, "holdout": holdout, "min_trades": min_trades,
    }  # fmt: skip
    exits = {"stop_loss": stop_loss, "take_profit": take_profit, "trailing_stop": trailing_stop}
    terms = {"cash": cash, "fee_bps": fee_bps, "slippage_bps": slippage_bps,
             "direction": direction, "exits": exits}  # fmt: skip
    asked = Asked(strategy, candles, timeframe, params, param or [], param_range or [],
                  walk_forward, is_anchored, wanted, terms, workers, study)  # fmt: skip
    run(desk_of(ctx), asked)


COMMANDS = {"tune": tune}
