"""Candles: the library, imports in two steps, downloads."""

from itertools import chain, islice
from pathlib import Path as FilePath
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from engine.api.auth import MAX_UPLOAD_BYTES
from engine.api.errors import error_response
from engine.api.routing import Actor, Services, new_router
from engine.api.wire import answer
from engine.contracts.candles import (
    CandleDetail,
    Download,
    DownloadRequest,
    ImportedView,
    ImportRequest,
    InspectQuery,
    PreviewView,
    SourceView,
    StoredSet,
)
from engine.errors import ConfigError, StoreError

router = new_router("candles")

PATIENCE = 4
"""So many times the limit is read of what is too large."""

SetId = Annotated[str, Path(max_length=255, description="a candle set's id")]
DownloadId = Annotated[str, Path(max_length=64)]


@router.get("/candles", response_model=list[StoredSet], summary="The candle library")
def candle_sets(services: Services) -> Response:
    """With the coverage of each; a file that cannot be used has its error."""
    return answer(services.candles.list())


@router.get("/candles/sources", response_model=list[SourceView], summary="Sources of candles")
def candle_sources(services: Services) -> Response:
    """Where candles can be downloaded."""
    return answer(services.candles.sources())


@router.get("/candles/downloads", response_model=list[Download], summary="Downloads")
def candle_downloads(services: Services) -> Response:
    """The newest first, ended ones too."""
    return answer(services.candles.downloads())


@router.post(
    "/candles/downloads", response_model=Download, status_code=202, summary="Download candles"
)
def start_download(request: DownloadRequest, services: Services, actor: Actor) -> Response:
    """In the background; what comes is in the library at once."""
    return answer(services.candles.start_download(request, actor), 202)


@router.post("/candles/downloads/{id}/cancel", response_model=Download, summary="Cancel it")
def cancel_download(id: DownloadId, services: Services, actor: Actor) -> Response:
    """What it has is kept."""
    return answer(services.candles.cancel_download(id, actor))


@router.post("/candles/downloads/{id}/resume", response_model=Download, summary="Go on with it")
def resume_download(id: DownloadId, services: Services, actor: Actor) -> Response:
    """From where it ended."""
    return answer(services.candles.resume_download(id, actor))


@router.post("/candles/inspect", response_model=PreviewView, summary="Look at a file")
async def inspect_upload(
    request: Request, services: Services, asked: Annotated[InspectQuery, Query()]
) -> Response:
    """The body is the file; it is kept for an hour, to be imported by its ``upload_id``. With one
    the file sent before is looked at anew."""
    if not asked.upload_id:
        upload_id, path = await run_sync(_new_upload, services)
        if not await _receive(request, path):
            return too_large()
        asked = asked.model_copy(update={"upload_id": upload_id})
    return answer(await run_sync(services.candles.inspect, asked))


@router.post("/candles/import", response_model=ImportedView, summary="Keep a file's candles")
def import_upload(request: ImportRequest, services: Services, actor: Actor) -> Response:
    """All of them or none."""
    return answer(services.candles.import_upload(request, actor))


@router.get("/candles/{id}.csv", response_class=StreamingResponse, summary="Candles as CSV")
def candles_csv(id: SetId, services: Services) -> Response:
    """Every digit, times in UTC."""
    chunks = iter(services.candles.csv(id))
    first = list(islice(chunks, 1))
    headers = {"Content-Disposition": f'attachment; filename="{FilePath(id).name}.csv"'}
    return StreamingResponse(
        chain(first, chunks), media_type="text/csv; charset=utf-8", headers=headers
    )


@router.get("/candles/{id}", response_model=CandleDetail, summary="One candle set")
def candle_set(id: SetId, services: Services) -> Response:
    """With its problems and gaps."""
    return answer(services.candles.detail(id))


@router.delete("/candles/{id}", status_code=204, summary="Delete candles")
def delete_candles(id: SetId, services: Services, actor: Actor) -> Response:
    """The file goes for good."""
    services.candles.delete(id, actor)
    return Response(status_code=204)


def too_large() -> Response:
    """An upload over the limit."""
    return error_response(413, "too_large", _LIMIT)


_LIMIT = (
    f"The file is larger than {MAX_UPLOAD_BYTES // 1_000_000} MB. Larger ones are imported with"
    " 'python -m engine candles import FILE'."
)


def _new_upload(services: Services) -> tuple[str, FilePath]:
    try:
        return services.candles.new_upload()
    except OSError as error:
        raise StoreError(f"The upload cannot be kept: {error.strerror}.") from error


def _drop(path: FilePath) -> None:
    path.unlink(missing_ok=True)


async def _receive(request: Request, path: FilePath) -> bool:
    """Write the body to ``path`` as it comes; False when it is too large, and nothing is left.

    What is too much is read and dropped, within reason: who is still sending hears no answer.
    """
    size = 0
    is_whole = False
    try:
        with path.open("wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size <= MAX_UPLOAD_BYTES:
                    await run_sync(file.write, chunk)
                elif size > PATIENCE * MAX_UPLOAD_BYTES:
                    break
        if not size:
            raise ConfigError("The file is empty.", field="file")
        is_whole = size <= MAX_UPLOAD_BYTES
        return is_whole
    except OSError as error:
        raise StoreError(
            f"The upload cannot be kept: {error.strerror}. Nothing was imported."
        ) from error
    finally:
        if not is_whole:
            await run_sync(_drop, path)
