import Testing
import Fitting
