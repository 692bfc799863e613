"""The HTTP API."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, PositiveInt
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from shop.models import Order


class NewOrder(BaseModel):
    """An order that is placed."""

    item: str
    amount: PositiveInt


async def session(request: Request) -> AsyncIterator[AsyncSession]:
    """Yield a session of the request's own."""
    async with AsyncSession(request.app.state.engine, expire_on_commit=False) as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


def create_app(database_url: str | None = None) -> FastAPI:
    """Return the application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.engine = create_async_engine(database_url or os.environ["DATABASE_URL"])
        yield
        await app.state.engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/orders", status_code=201)
    async def place(new: NewOrder, database: Session) -> dict[str, int]:
        order = Order(**new.model_dump())
        database.add(order)
        await database.commit()
        return {"id": order.id}

    @app.get("/orders/{number}")
    async def read(number: int, database: Session) -> NewOrder:
        order = await database.get(Order, number)
        if order is None:
            raise HTTPException(404, f"there is no order {number}")
        return NewOrder(item=order.item, amount=order.amount)

    @app.get("/total")
    async def total(database: Session) -> int:
        return await database.scalar(select(func.coalesce(func.sum(Order.amount), 0))) or 0

    return app
