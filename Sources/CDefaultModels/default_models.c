#include "default_models.h"
