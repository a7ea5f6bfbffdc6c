#pragma once
// The few functions of NVIDIA's management library that a GPU sample needs, declared from its public API documentation
// (docs.nvidia.com/deploy/nvml-api). The library comes with the driver: it is opened at run time and never linked.
#include <stddef.h>
#include <stdint.h>

typedef struct sbx_nvml_device *sbx_nvml_device; // nvmlDevice_t

// nvmlReturn_t
enum {
  SBX_NVML_SUCCESS = 0,
  SBX_NVML_NOT_SUPPORTED = 3,
  SBX_NVML_NO_PERMISSION = 4,
  SBX_NVML_NOT_FOUND = 6,
  SBX_NVML_INSUFFICIENT_SIZE = 7,
  SBX_NVML_DRIVER_NOT_LOADED = 9,
  SBX_NVML_GPU_IS_LOST = 15,
  SBX_NVML_RESET_REQUIRED = 16,
};

typedef struct { // nvmlUtilization_t, percent
  unsigned int gpu, memory;
} sbx_nvml_utilization;

typedef struct { // nvmlMemory_t, bytes
  unsigned long long total, free, used;
} sbx_nvml_memory;

typedef struct { // nvmlMemory_v2_t; `used` without what the driver reserves
  unsigned int version;
  unsigned long long total, reserved, free, used;
} sbx_nvml_memory_v2;

typedef struct { // nvmlProcessInfo_t, _v2 and _v3 of the call
  unsigned int pid;
  unsigned long long used; // bytes; all bits set where the driver does not know
  unsigned int gpu_instance, compute_instance;
} sbx_nvml_process;

typedef struct { // nvmlPciInfo_t
  char bus_id_legacy[16];
  unsigned int domain, bus, device, pci_device, pci_subsystem;
  char bus_id[32];
} sbx_nvml_pci;

typedef struct { // nvmlFieldValue_t; `value` is a union of 8 bytes
  unsigned int field, scope;
  long long timestamp, latency_us;
  int type, result;
  union {
    double d;
    unsigned int ui;
    unsigned long long ull;
  } value;
} sbx_nvml_field;

// A pointer is NULL where the installed library does not have the function.
struct sbx_nvml {
  void *library;
  int (*init)(void);
  int (*shutdown)(void);
  const char *(*error_string)(int);
  int (*driver_version)(char *, unsigned int);
  int (*count)(unsigned int *);
  int (*handle)(unsigned int, sbx_nvml_device *);
  int (*uuid)(sbx_nvml_device, char *, unsigned int);
  int (*name)(sbx_nvml_device, char *, unsigned int);
  int (*pci)(sbx_nvml_device, sbx_nvml_pci *);
  int (*utilization)(sbx_nvml_device, sbx_nvml_utilization *);
  int (*memory)(sbx_nvml_device, sbx_nvml_memory *);
  int (*memory_v2)(sbx_nvml_device, sbx_nvml_memory_v2 *);
  int (*power)(sbx_nvml_device, unsigned int *);        // mW
  int (*power_limit)(sbx_nvml_device, unsigned int *);  // mW
  int (*temperature)(sbx_nvml_device, int, unsigned int *); // sensor 0 = GPU, °C
  int (*clock)(sbx_nvml_device, int, unsigned int *);   // 1 = SM, 2 = memory, MHz
  int (*fan)(sbx_nvml_device, unsigned int *);          // percent
  int (*event_reasons)(sbx_nvml_device, unsigned long long *);
  int (*ecc)(sbx_nvml_device, int, int, unsigned long long *); // 0 corrected, 1 uncorrected; 0 volatile
  int (*remapped)(sbx_nvml_device, unsigned int *, unsigned int *, unsigned int *, unsigned int *);
  int (*processes)(sbx_nvml_device, unsigned int *, sbx_nvml_process *);
  int (*pcie)(sbx_nvml_device, int, unsigned int *);    // 0 transmit, 1 receive, KB/s; takes 20 ms
  int (*fields)(sbx_nvml_device, int, sbx_nvml_field *);
};

// dlopen(3) and dlsym(3); 0, or -1 with dlerror's words in `reason`. Does not call the library.
int sbx_nvml_open(const char *path, struct sbx_nvml *out, char *reason, size_t size);
void sbx_nvml_close(struct sbx_nvml *library);
