"""Methods that the paper compares on haze removal."""
