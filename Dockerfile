# Hayloft in a container: the same pinned packages as `make install`, run by an ordinary user.
#
#   docker build -t hayloft .
#   docker build -t hayloft --build-arg TORCH_INDEX= .        torch with CUDA, for an NVIDIA card
#   docker build -t hayloft --build-arg HAYLOFT_UID=$(id -u) . reads files that only you may read
FROM python:3.11-slim

# PyTorch's own index holds the build without CUDA, which spares several gigabytes. Empty: PyPI's.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG HAYLOFT_UID=10001

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

# Reads scanned pages. More languages: tesseract-ocr-deu, tesseract-ocr-fra ...
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends tesseract-ocr tesseract-ocr-osd \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/hayloft

# The packages come before the code, so that a change of code does not fetch them again. Torch comes
# first and alone: asked of its own index it is the CPU build, and pip then finds it installed.
COPY pyproject.toml constraints.txt ./
RUN pip install --no-deps ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -c constraints.txt torch \
 && python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > /tmp/requirements.txt \
 && pip install -c constraints.txt -r /tmp/requirements.txt \
 && rm /tmp/requirements.txt

# An editable install, the one way Hayloft is installed anywhere: Streamlit starts pages by path.
COPY . .
RUN pip install --no-deps -e . \
 && python -m compileall -q app evaluation ingest storage hayloft.py \
 && useradd --uid "$HAYLOFT_UID" --no-create-home --shell /usr/sbin/nologin hayloft \
 && install -d -o hayloft -g hayloft /data /documents

# A new volume mounted on /data takes over this folder's owner. HOME lies in /tmp, so that the root
# file system can be read-only; the models are in the image, so that nothing is looked up.
ENV HAYLOFT_DATA_DIR=/data \
    HOME=/tmp \
    HF_HUB_OFFLINE=1
USER hayloft
VOLUME /data
EXPOSE 8501 8600
CMD ["hayloft", "ui"]
