// A stand-in for NVIDIA's management library: the tests build it as libnvidia-ml.so.1 and tell it by the file named in
// FAKE_NVML_CONTROL how to behave. The file is read again at every question, so that a GPU can vanish while a process runs.
// Lines of the file: "gpus N" · "lost I" (GPU I has fallen off its bus) · "hang" (no question returns) · "bare" (only what
// every driver has) · "fail CODE" (nvmlInit) · "processes PID BYTES" (one compute process on GPU 0)
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct state {
  int gpus, lost, hang, bare, fail;
  unsigned pid;
  unsigned long long bytes;
};

static struct state now(void) {
  struct state s = {2, -1, 0, 0, 0, 4242, 5ULL << 30};
  const char *path = getenv("FAKE_NVML_CONTROL");
  FILE *f = path ? fopen(path, "r") : NULL;
  if (f) {
    char line[128];
    while (fgets(line, sizeof line, f)) {
      sscanf(line, "gpus %d", &s.gpus);
      sscanf(line, "lost %d", &s.lost);
      sscanf(line, "fail %d", &s.fail);
      sscanf(line, "processes %u %llu", &s.pid, &s.bytes);
      if (!strncmp(line, "hang", 4)) s.hang = 1;
      if (!strncmp(line, "bare", 4)) s.bare = 1;
    }
    fclose(f);
  }
  while (s.hang) sleep(1000);
  return s;
}

// A handle is the index + 1.
static int index_of(void *device) { return (int)(long)device - 1; }
#define GPU(device) \
  struct state s = now(); \
  if (index_of(device) == s.lost) return 15;
#define RICH(device) \
  GPU(device) \
  if (s.bare) return 3;

int nvmlInit_v2(void) { return now().fail; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) {
  return code == 9 ? "Driver Not Loaded" : code == 15 ? "GPU is lost" : code == 3 ? "Not Supported" : "Unknown Error";
}
int nvmlSystemGetDriverVersion(char *out, unsigned size) {
  snprintf(out, size, "550.54.15");
  return 0;
}
int nvmlDeviceGetCount_v2(unsigned *out) {
  *out = (unsigned)now().gpus;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out) {
  struct state s = now();
  if ((int)index >= s.gpus) return 2;
  *out = (void *)(long)(index + 1);
  return 0;
}
int nvmlDeviceGetUUID(void *d, char *out, unsigned size) {
  GPU(d) snprintf(out, size, "GPU-00000000-0000-0000-0000-%012d", index_of(d));
  return 0;
}
int nvmlDeviceGetName(void *d, char *out, unsigned size) {
  GPU(d) snprintf(out, size, "NVIDIA H100 80GB HBM3");
  return 0;
}
struct pci {
  char legacy[16];
  unsigned domain, bus, device, a, b;
  char id[32];
};
int nvmlDeviceGetPciInfo_v3(void *d, struct pci *out) {
  GPU(d) memset(out, 0, sizeof *out);
  snprintf(out->id, sizeof out->id, "00000000:%02X:00.0", 5 + index_of(d));
  return 0;
}
int nvmlDeviceGetUtilizationRates(void *d, unsigned *out) {
  GPU(d) out[0] = 87 + index_of(d);
  out[1] = 40;
  return 0;
}
int nvmlDeviceGetMemoryInfo(void *d, unsigned long long *out) {
  GPU(d) out[0] = 80ULL << 30;
  out[1] = 60ULL << 30;
  out[2] = 20ULL << 30;
  return 0;
}
struct memory2 {
  unsigned version;
  unsigned long long total, reserved, free, used;
};
int nvmlDeviceGetMemoryInfo_v2(void *d, struct memory2 *out) {
  RICH(d) if (out->version != (sizeof *out | 2 << 24)) return 25;
  out->total = 80ULL << 30;
  out->reserved = 1ULL << 30;
  out->free = 60ULL << 30;
  out->used = 19ULL << 30;
  return 0;
}
int nvmlDeviceGetPowerUsage(void *d, unsigned *out) {
  RICH(d) *out = 612345;
  return 0;
}
int nvmlDeviceGetEnforcedPowerLimit(void *d, unsigned *out) {
  RICH(d) *out = 700000;
  return 0;
}
int nvmlDeviceGetTemperature(void *d, int sensor, unsigned *out) {
  GPU(d) *out = sensor == 0 ? 66 : 0;
  return 0;
}
int nvmlDeviceGetClockInfo(void *d, int type, unsigned *out) {
  RICH(d) *out = type == 1 ? 1980 : 2619;
  return 0;
}
int nvmlDeviceGetFanSpeed(void *d, unsigned *out) {
  (void)d;
  *out = 0;
  return 3;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, unsigned long long *out) {
  RICH(d) *out = 0x48;
  return 0;
}
int nvmlDeviceGetTotalEccErrors(void *d, int kind, int counter, unsigned long long *out) {
  RICH(d) *out = counter != 0 ? 0 : kind == 0 ? 12 : 1;
  return 0;
}
int nvmlDeviceGetRemappedRows(void *d, unsigned *a, unsigned *b, unsigned *c, unsigned *e) {
  RICH(d) *a = 2;
  *b = 1;
  *c = 1;
  *e = 0;
  return 0;
}
struct process {
  unsigned pid;
  unsigned long long used;
  unsigned gi, ci;
};
int nvmlDeviceGetComputeRunningProcesses_v3(void *d, unsigned *count, struct process *out) {
  RICH(d) if (index_of(d) != 0) {
    *count = 0;
    return 0;
  }
  if (*count < 2) return 7;
  *count = 2;
  out[0].pid = s.pid;
  out[0].used = s.bytes;
  out[1].pid = 4243;
  out[1].used = ~0ULL;
  return 0;
}
int nvmlDeviceGetPcieThroughput(void *d, int direction, unsigned *out) {
  RICH(d) *out = direction == 0 ? 1000 : 2000;
  return 0;
}
struct field {
  unsigned id, scope;
  long long time, latency;
  int type, result;
  unsigned long long value;
};
int nvmlDeviceGetFieldValues(void *d, int count, struct field *out) {
  RICH(d) for (int i = 0; i < count; i++) {
    out[i].result = out[i].id == 82 ? 0 : 3;
    out[i].value = 91;
  }
  return 0;
}
