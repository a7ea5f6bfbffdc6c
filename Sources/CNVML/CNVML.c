#define _GNU_SOURCE
#include "CNVML.h"
#include "library.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

// The newer name of a function first: libraries since 2018 have both.
static void *either(void *library, const char *first, const char *second) {
  void *found = dlsym(library, first);
  return found || !second ? found : dlsym(library, second);
}

int sbx_nvml_open(const char *path, struct sbx_nvml *out, char *reason, size_t size) {
  memset(out, 0, sizeof *out);
  void *l = sbx_library_open(path, reason, size);
  if (!l) return -1;
  out->library = l;
  // POSIX lets a void pointer of dlsym be a function's; ISO C does not, hence the copies through memory.
#define RESOLVE(field, first, second) \
  do { \
    void *p = either(l, first, second); \
    memcpy(&out->field, &p, sizeof p); \
  } while (0)
  RESOLVE(init, "nvmlInit_v2", "nvmlInit");
  RESOLVE(shutdown, "nvmlShutdown", NULL);
  RESOLVE(error_string, "nvmlErrorString", NULL);
  RESOLVE(driver_version, "nvmlSystemGetDriverVersion", NULL);
  RESOLVE(count, "nvmlDeviceGetCount_v2", "nvmlDeviceGetCount");
  RESOLVE(handle, "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex");
  RESOLVE(uuid, "nvmlDeviceGetUUID", NULL);
  RESOLVE(name, "nvmlDeviceGetName", NULL);
  RESOLVE(pci, "nvmlDeviceGetPciInfo_v3", NULL);
  RESOLVE(utilization, "nvmlDeviceGetUtilizationRates", NULL);
  RESOLVE(memory, "nvmlDeviceGetMemoryInfo", NULL);
  RESOLVE(memory_v2, "nvmlDeviceGetMemoryInfo_v2", NULL);
  RESOLVE(power, "nvmlDeviceGetPowerUsage", NULL);
  RESOLVE(power_limit, "nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetPowerManagementLimit");
  RESOLVE(temperature, "nvmlDeviceGetTemperature", NULL);
  RESOLVE(clock, "nvmlDeviceGetClockInfo", NULL);
  RESOLVE(fan, "nvmlDeviceGetFanSpeed", NULL);
  RESOLVE(event_reasons, "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons");
  RESOLVE(ecc, "nvmlDeviceGetTotalEccErrors", NULL);
  RESOLVE(remapped, "nvmlDeviceGetRemappedRows", NULL);
  RESOLVE(processes, "nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2");
  RESOLVE(pcie, "nvmlDeviceGetPcieThroughput", NULL);
  RESOLVE(fields, "nvmlDeviceGetFieldValues", NULL);
#undef RESOLVE
  return 0;
}

void sbx_nvml_close(struct sbx_nvml *library) {
  if (library->library) dlclose(library->library);
  memset(library, 0, sizeof *library);
}
