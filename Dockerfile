FROM python:3.11-slim
RUN useradd --create-home --uid 10001 lookalike
WORKDIR /app
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY service service
COPY indexer indexer
COPY clients clients
RUN pip install --no-cache-dir --constraint constraints.txt '.[service,indexer]'
USER lookalike
ENV LOOKALIKE_HOST=0.0.0.0 LOOKALIKE_DATA=/tmp/lookalike-data
EXPOSE 3000
CMD ["lookalike", "serve"]
